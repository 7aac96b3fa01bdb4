/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Routers' errors about forwarded packets. They quote a packet in the numbers of one leg and go to
 * the end of the other, which would not believe them (RFC 5927, section 4).
 */
#pragma once

#include "maps.h"
#include "rewrite.h"

#define ICMP_HEADER 8
#define QUOTED_PORTS 4

/* Where the parts of an error are, by the family. */
struct error_layout {
	__u32 checksum_at;
	__u32 quoted_at;	/* the quoted packet's TCP header */
};

/* The tuple of the quoted packet, reversed: of what its receiver sends. Nothing if it is no such error. */
static __always_inline int quoted_v4(struct __sk_buff *skb, struct tuple *back)
{
	__u8 raw[IPV4_HEADER + ICMP_HEADER + IPV4_HEADER + QUOTED_PORTS];
	const __u8 *inner = raw + IPV4_HEADER + ICMP_HEADER;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, raw, sizeof(raw)))
		return 0;
	if (raw[0] != 0x45 || raw[9] != IPPROTO_ICMP)
		return 0;
	/* unreachable, time exceeded, parameter problem */
	if (raw[IPV4_HEADER] != 3 && raw[IPV4_HEADER] != 11 && raw[IPV4_HEADER] != 12)
		return 0;
	if (inner[0] != 0x45 || inner[9] != IPPROTO_TCP)
		return 0;
	__builtin_memcpy(back->source, inner + 16, 4);
	__builtin_memcpy(back->destination, inner + 12, 4);
	__builtin_memcpy(&back->source_port, inner + IPV4_HEADER + 2, 2);
	__builtin_memcpy(&back->destination_port, inner + IPV4_HEADER, 2);
	return 1;
}

static __always_inline int quoted_v6(struct __sk_buff *skb, struct tuple *back)
{
	__u8 raw[IPV6_HEADER + ICMP_HEADER + IPV6_HEADER + QUOTED_PORTS];
	const __u8 *inner = raw + IPV6_HEADER + ICMP_HEADER;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, raw, sizeof(raw)))
		return 0;
	/* ICMPv6's errors are the types 1 to 4 */
	if (raw[6] != IPPROTO_ICMPV6 || raw[IPV6_HEADER] == 0 || raw[IPV6_HEADER] > 4 || inner[6] != IPPROTO_TCP)
		return 0;
	__builtin_memcpy(back->source, inner + 24, 16);
	__builtin_memcpy(back->destination, inner + 8, 16);
	__builtin_memcpy(&back->source_port, inner + IPV6_HEADER + 2, 2);
	__builtin_memcpy(&back->destination_port, inner + IPV6_HEADER, 2);
	return 1;
}

/*
 * Write the quoted packet as its sender wrote it. The flow is that of the opposite direction:
 * what it adds to acknowledgements is what the quoted packet's numbers need, and its ports
 * are the quoted ones turned round.
 */
static __always_inline void translate_error(struct __sk_buff *skb, struct error_layout layout, const struct tuple *back)
{
	struct known known;
	__be32 sequence, translated;
	__be16 port;

	if (!look_up(back, &known) || known.session->mode != MODE_FORWARD)
		return;
	if (bpf_skb_load_bytes(skb, layout.quoted_at + offsetof(struct tcp, sequence), &sequence, sizeof(sequence)))
		return;
	translated = bpf_htonl(bpf_ntohl(sequence) + known.flow->acknowledgement);
	bpf_l4_csum_replace(skb, layout.checksum_at, sequence, translated, 4);
	bpf_skb_store_bytes(skb, layout.quoted_at + offsetof(struct tcp, sequence), &translated, sizeof(translated), 0);
	port = known.flow->destination_port;
	if (port) {
		bpf_l4_csum_replace(skb, layout.checksum_at, back->destination_port, port, 2);
		bpf_skb_store_bytes(skb, layout.quoted_at + offsetof(struct tcp, source_port), &port, sizeof(port), 0);
	}
	port = known.flow->source_port;
	if (port) {
		bpf_l4_csum_replace(skb, layout.checksum_at, back->source_port, port, 2);
		bpf_skb_store_bytes(skb, layout.quoted_at + offsetof(struct tcp, destination_port), &port, sizeof(port), 0);
	}
}

static __always_inline void translate_error_v4(struct __sk_buff *skb)
{
	const struct error_layout layout = {
		.checksum_at = ETH_HLEN + IPV4_HEADER + 2,
		.quoted_at = ETH_HLEN + IPV4_HEADER + ICMP_HEADER + IPV4_HEADER,
	};
	struct tuple back = {};

	if (quoted_v4(skb, &back))
		translate_error(skb, layout, &back);
}

static __always_inline void translate_error_v6(struct __sk_buff *skb)
{
	const struct error_layout layout = {
		.checksum_at = ETH_HLEN + IPV6_HEADER + 2,
		.quoted_at = ETH_HLEN + IPV6_HEADER + ICMP_HEADER + IPV6_HEADER,
	};
	struct tuple back = {};

	if (quoted_v6(skb, &back))
		translate_error(skb, layout, &back);
}
