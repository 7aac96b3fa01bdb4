/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * A TCP packet of IPv4 without options or IPv6 without extension headers, behind an Ethernet
 * header. Everything else is left to the stack.
 *
 * Headers are copied to the program's stack and written back: with pointers into packets the
 * verifier wants CAP_PERFMON wherever both families share code.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "session.h"

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define TCP_AT_V4 (ETH_HLEN + IPV4_HEADER)
#define TCP_AT_V6 (ETH_HLEN + IPV6_HEADER)

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define ECE 0x40
#define CWR 0x80

/* Numbers of TCP, which run in a circle (RFC 9293, section 3.4). */
#define BEFORE(a, b) ((__s32)((a) - (b)) < 0)
#define UP_TO(a, b) ((__s32)((a) - (b)) <= 0)

struct tcp {
	__be16 source_port;
	__be16 destination_port;
	__be32 sequence;
	__be32 acknowledgement;
	__u8 length;		/* upper four bits: words of the header */
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
};

struct packet {
	struct tuple tuple;
	struct tcp tcp;
	__u32 sequence;		/* in the host's byte order */
	__u32 acknowledgement;
	__u32 window;		/* not scaled */
	__u32 payload;		/* bytes */
	__u32 options;		/* bytes of TCP's */
	__u8 hops;		/* time to live, hop limit */
};

/* The headers of an IPv4 packet, if it is one that can be handled. */
static __always_inline int read_v4(struct __sk_buff *skb, struct packet *packet)
{
	__u8 ip[IPV4_HEADER];
	__u32 total;

	__builtin_memset(packet, 0, sizeof(*packet));
	if (bpf_skb_load_bytes(skb, ETH_HLEN, ip, sizeof(ip)))
		return 0;
	if (ip[0] != 0x45 || ip[9] != IPPROTO_TCP || (ip[6] & 0x3f) || ip[7])
		return 0;
	if (bpf_skb_load_bytes(skb, TCP_AT_V4, &packet->tcp, sizeof(packet->tcp)))
		return 0;
	__builtin_memcpy(packet->tuple.source, ip + 12, 4);
	__builtin_memcpy(packet->tuple.destination, ip + 16, 4);
	packet->hops = ip[8];
	total = (__u32)ip[2] << 8 | ip[3];
	packet->payload = (total ? total : skb->len - ETH_HLEN) - IPV4_HEADER;
	return 1;
}

/* The same of an IPv6 packet. */
static __always_inline int read_v6(struct __sk_buff *skb, struct packet *packet)
{
	__u8 ip[IPV6_HEADER];
	__u32 total;

	__builtin_memset(packet, 0, sizeof(*packet));
	if (bpf_skb_load_bytes(skb, ETH_HLEN, ip, sizeof(ip)))
		return 0;
	if (ip[6] != IPPROTO_TCP)
		return 0;
	if (bpf_skb_load_bytes(skb, TCP_AT_V6, &packet->tcp, sizeof(packet->tcp)))
		return 0;
	__builtin_memcpy(packet->tuple.source, ip + 8, 16);
	__builtin_memcpy(packet->tuple.destination, ip + 24, 16);
	packet->hops = ip[7];
	total = (__u32)ip[4] << 8 | ip[5];
	packet->payload = total ? total : skb->len - TCP_AT_V6;
	return 1;
}

/*
 * The same number, of which the verifier knows nothing any more. What it knows, and sees put at the start of a word
 * of the stack, it takes for a register put aside; and Linux 6.1 lets nobody without CAP_PERFMON change the rest of
 * that word.
 */
static __always_inline __u16 opaque(__u64 number)
{
	asm volatile("%0 = -%0\n\t%0 = -%0" : "+r"(number));
	return number;
}

/* What both families have: the numbers of the TCP header. */
static __always_inline int read_tcp(struct packet *packet)
{
	__u32 header = (packet->tcp.length >> 4) * 4;

	if (header < TCP_HEADER || packet->payload < header)
		return 0;
	packet->tuple.source_port = opaque(packet->tcp.source_port);
	packet->tuple.destination_port = opaque(packet->tcp.destination_port);
	packet->sequence = bpf_ntohl(packet->tcp.sequence);
	packet->acknowledgement = bpf_ntohl(packet->tcp.acknowledgement);
	packet->window = bpf_ntohs(packet->tcp.window);
	packet->options = header - TCP_HEADER;
	packet->payload -= header;
	return 1;
}

/* The number behind what a packet holds. */
static __always_inline __u32 end_of(const struct packet *packet)
{
	return packet->sequence + packet->payload + (packet->tcp.flags & FIN ? 1 : 0);
}
