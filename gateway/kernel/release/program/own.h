/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The overlap, as the old sockets see it: what goes up to them, and what they still send.
 */
#pragma once

#include "maps.h"
#include "rewrite.h"

/* One block of selective acknowledgements, cut where the old socket's own bytes end. */
static __always_inline void clip_block(struct __sk_buff *skb, __u32 tcp_at, __u32 at, const struct packet *packet, const struct known *known)
{
	__u32 edges[2], left, right, own_end = known->own->own_end;

	if (bpf_skb_load_bytes(skb, at, edges, sizeof(edges)))
		return;
	left = bpf_ntohl(edges[0]);
	right = bpf_ntohl(edges[1]);
	if (!BEFORE(own_end, right))
		return;
	if (BEFORE(left, own_end))
		right = own_end;
	else
		left = right = packet->acknowledgement;
	put_word(skb, tcp_at, at, edges[0], bpf_htonl(left));
	put_word(skb, tcp_at, at + 4, edges[1], bpf_htonl(right));
}

static __always_inline void clip_blocks(struct __sk_buff *skb, __u32 tcp_at, const struct packet *packet, const struct known *known)
{
	__u32 at = tcp_at + TCP_HEADER, end = at + packet->options;
	struct option option;

	#pragma clang loop unroll(disable)
	for (int n = 0; n < OPTIONS_MOST; n++) {
		if (!read_option(skb, at, end, &option))
			return;
		if (option.kind == OPTION_SACK) {
			#pragma clang loop unroll(disable)
			for (int block = 0; block < SACK_BLOCKS_MOST; block++) {
				if (block * 8 + 8 > option.length - 2)
					return;
				clip_block(skb, tcp_at, at + 2 + block * 8, packet, known);
			}
			return;
		}
		at += option.length;
	}
}

/*
 * An acknowledgement that goes up to the old socket. The socket, and the connection tracking of
 * its leg, know nothing of what has been forwarded since: the number is the one they expect,
 * and nothing beyond the socket's own bytes is acknowledged.
 */
static __always_inline void dress_for_socket(struct __sk_buff *skb, __u32 tcp_at, const struct packet *packet, const struct known *known)
{
	if (known->session->mode != MODE_OVERLAP || packet->payload || packet->tcp.flags & (SYN | RST | FIN))
		return;
	if (BEFORE(known->own->boundary, packet->sequence))
		put_word(skb, tcp_at, tcp_at + offsetof(struct tcp, sequence), packet->tcp.sequence, bpf_htonl(known->own->boundary));
	clip_blocks(skb, tcp_at, packet, known);
}

/* The tuple of what comes back. */
static __always_inline void reversed(const struct tuple *tuple, struct tuple *back)
{
	__builtin_memcpy(back->source, tuple->destination, sizeof(back->source));
	__builtin_memcpy(back->destination, tuple->source, sizeof(back->destination));
	back->source_port = tuple->destination_port;
	back->destination_port = tuple->source_port;
}

/*
 * A packet that an old socket sends to `known->own`, the sender of what comes back.
 *
 * What it acknowledges may be too old by now, and its peer would throw it away (RFC 5961, section
 * 5.2): it gets the newest acknowledgement that was forwarded, and its window. A packet that was
 * on its way to a socket that has vanished is answered by the kernel with a reset: it is dropped.
 *
 * Returns whether the packet is to be sent.
 */
static __always_inline int freshen(struct __sk_buff *skb, __u32 tcp_at, const struct packet *packet, struct known *known)
{
	__u32 mode = known->session->mode, acknowledged;

	if (mode == MODE_LEARN)
		known->own->interface = skb->ifindex;
	if (mode == MODE_FORWARD || (mode == MODE_OVERLAP && packet->tcp.flags & RST))
		return 0;
	if (mode != MODE_OVERLAP || !(packet->tcp.flags & ACK) || !(known->other->seen & SEEN_PACKET))
		return 1;
	acknowledged = known->other->acknowledged - known->flow->sequence;
	if (!BEFORE(packet->acknowledgement, acknowledged))
		return 1;
	put_word(skb, tcp_at, tcp_at + offsetof(struct tcp, acknowledgement), packet->tcp.acknowledgement, bpf_htonl(acknowledged));
	put_half(skb, tcp_at, tcp_at + offsetof(struct tcp, window), packet->tcp.window,
		 bpf_htons(shifted(known->other->window, known->other->own_window_shift)));
	return 1;
}

/*
 * The first packet of a server's leg whose client has no timestamps: neither shall the
 * leg have them, or neither could be forwarded as the other. The option becomes padding.
 */
static __always_inline void undress(struct __sk_buff *skb, __u32 tcp_at, const struct packet *packet)
{
	__u32 at = tcp_at + TCP_HEADER, end = at + packet->options, words[2], odd;
	struct option option;
	__u16 head, padding = 0x0101;

	#pragma clang loop unroll(disable)
	for (int n = 0; n < OPTIONS_MOST; n++) {
		if (!read_option(skb, at, end, &option))
			return;
		if (option.kind == OPTION_TIMESTAMPS && option.length == LENGTH_TIMESTAMPS) {
			if (bpf_skb_load_bytes(skb, at, &head, sizeof(head)) || bpf_skb_load_bytes(skb, at + 2, words, sizeof(words)))
				return;
			odd = (at - tcp_at) & 1;
			bpf_l4_csum_replace(skb, tcp_at + offsetof(struct tcp, checksum), odd ? (__u16)(head << 8 | head >> 8) : head, padding, 2);
			bpf_skb_store_bytes(skb, at, &padding, sizeof(padding), 0);
			put_word(skb, tcp_at, at + 2, words[0], 0x01010101);
			put_word(skb, tcp_at, at + 6, words[1], 0x01010101);
			return;
		}
		at += option.length;
	}
}
