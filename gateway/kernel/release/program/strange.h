/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Packets of TCP that the program does not read: whose they are is noted, so that their sessions
 * stay with their sockets.
 */
#pragma once

#include "maps.h"
#include "packet.h"

#define NEXT_HOPS 0
#define NEXT_ROUTING 43
#define NEXT_FRAGMENT 44
#define NEXT_DESTINATION 60

static __always_inline void note_strange(struct __sk_buff *skb, struct tuple *tuple, __u32 ports_at)
{
	__u32 known = 1;

	if (bpf_skb_load_bytes(skb, ports_at, &tuple->source_port, sizeof(tuple->source_port) + sizeof(tuple->destination_port)))
		return;
	bpf_map_update_elem(&strange, tuple, &known, BPF_ANY);
}

/* IP options, or the first fragment: only that has ports. */
static __always_inline void note_strange_v4(struct __sk_buff *skb)
{
	struct tuple tuple = {};
	__u8 ip[IPV4_HEADER];
	__u32 header;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, ip, sizeof(ip)))
		return;
	header = (ip[0] & 0x0f) * 4;
	if (ip[9] != IPPROTO_TCP || ip[0] >> 4 != 4 || header < IPV4_HEADER || ip[6] & 0x1f || ip[7])
		return;
	__builtin_memcpy(tuple.source, ip + 12, 4);
	__builtin_memcpy(tuple.destination, ip + 16, 4);
	note_strange(skb, &tuple, ETH_HLEN + header);
}

/* One extension header, behind which TCP's is. */
static __always_inline void note_strange_v6(struct __sk_buff *skb)
{
	struct tuple tuple = {};
	__u8 ip[IPV6_HEADER], more[4];
	__u32 length = 8;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, ip, sizeof(ip)))
		return;
	if (ip[6] != NEXT_HOPS && ip[6] != NEXT_ROUTING && ip[6] != NEXT_FRAGMENT && ip[6] != NEXT_DESTINATION)
		return;
	if (bpf_skb_load_bytes(skb, TCP_AT_V6, more, sizeof(more)) || more[0] != IPPROTO_TCP)
		return;
	if (ip[6] != NEXT_FRAGMENT)
		length += more[1] * 8;
	else if (more[2] || more[3] & 0xf8)
		return;
	__builtin_memcpy(tuple.source, ip + 8, 16);
	__builtin_memcpy(tuple.destination, ip + 24, 16);
	note_strange(skb, &tuple, TCP_AT_V6 + length);
}
