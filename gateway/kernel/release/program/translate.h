/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * From the numbers of one leg to those of the other: sequence numbers, acknowledgements,
 * windows, timestamps, ports.
 */
#pragma once

#include "maps.h"
#include "rewrite.h"

#define NANOSECONDS 1000000

/* The two words of the timestamps option (RFC 7323, section 3.2), translated. */
struct clocks {
	__u32 value;
	__u32 echo;
};

static __always_inline void translate_clocks(struct known *known, struct clocks *clocks)
{
	__u32 value = bpf_ntohl(clocks->value), echo = bpf_ntohl(clocks->echo);

	if (!(known->own->seen & SEEN_CLOCK)) {
		/* goes on where the old socket's clock stands now */
		known->own->clock = (__u32)(bpf_ktime_get_ns() / NANOSECONDS) + known->flow->clock - value;
		known->own->seen |= SEEN_CLOCK;
	}
	clocks->value = bpf_htonl(value + known->own->clock);
	clocks->echo = known->other->seen & SEEN_CLOCK ? bpf_htonl(echo - known->other->clock) : 0;
}

/* The window that the other end may fill, counted from what is acknowledged to it. */
static __always_inline __u32 translated_window(const struct packet *packet, const struct known *known, __u32 acknowledgement)
{
	__u32 over = (acknowledgement - packet->acknowledgement) >> (known->own->scale & 15);
	__u32 window = packet->window > over ? packet->window - over : 0;

	return shifted(window, known->flow->window_shift);
}

/* The fixed header. Its first four words change, the checksum follows. */
static __always_inline void translate_header(struct __sk_buff *skb, __u32 tcp_at, struct packet *packet, struct known *known)
{
	struct flow *flow = known->flow;
	__u32 acknowledgement = packet->acknowledgement;
	__u32 before[4], after[4];
	struct tcp *tcp = &packet->tcp;

	__builtin_memcpy(before, tcp, sizeof(before));
	/* what the gateway has acknowledged to the other end already stays acknowledged */
	if (known->session->mode == MODE_OVERLAP && BEFORE(acknowledgement, known->own->own_end))
		acknowledgement = known->own->own_end;
	if (flow->source_port)
		tcp->source_port = flow->source_port;
	if (flow->destination_port)
		tcp->destination_port = flow->destination_port;
	tcp->sequence = bpf_htonl(packet->sequence + flow->sequence);
	if (tcp->flags & ACK)
		tcp->acknowledgement = bpf_htonl(acknowledgement + flow->acknowledgement);
	tcp->window = bpf_htons(translated_window(packet, known, acknowledgement));
	if (flow->traits & TRAIT_NO_ECN)
		tcp->flags &= ~(ECE | CWR);
	__builtin_memcpy(after, tcp, sizeof(after));
	bpf_l4_csum_replace(skb, tcp_at + offsetof(struct tcp, checksum), 0,
			    bpf_csum_diff(before, sizeof(before), after, sizeof(after), 0), 0);
	bpf_skb_store_bytes(skb, tcp_at, after, sizeof(after), 0);
}

static __always_inline void translate_timestamps(struct __sk_buff *skb, __u32 tcp_at, __u32 at, struct known *known)
{
	struct clocks before, after;

	if (bpf_skb_load_bytes(skb, at, &before, sizeof(before)))
		return;
	after = before;
	translate_clocks(known, &after);
	put_word(skb, tcp_at, at, before.value, after.value);
	put_word(skb, tcp_at, at + 4, before.echo, after.echo);
}

/* Selective acknowledgements (RFC 2018, section 3): both ends of each block. */
static __always_inline void translate_blocks(struct __sk_buff *skb, __u32 tcp_at, __u32 at, __u32 length, struct known *known)
{
	#pragma clang loop unroll(disable)
	for (int n = 0; n < SACK_BLOCKS_MOST * 2; n++) {
		__u32 place = at + n * 4, edge;

		if ((__u32)(n * 4 + 4) > length || bpf_skb_load_bytes(skb, place, &edge, sizeof(edge)))
			return;
		put_word(skb, tcp_at, place, edge, bpf_htonl(bpf_ntohl(edge) + known->flow->acknowledgement));
	}
}

static __always_inline void translate_options(struct __sk_buff *skb, __u32 tcp_at, const struct packet *packet, struct known *known)
{
	__u32 at = tcp_at + TCP_HEADER, end = at + packet->options;
	struct option option;

	#pragma clang loop unroll(disable)
	for (int n = 0; n < OPTIONS_MOST; n++) {
		if (!read_option(skb, at, end, &option))
			return;
		if (option.kind == OPTION_TIMESTAMPS && option.length == LENGTH_TIMESTAMPS)
			translate_timestamps(skb, tcp_at, at + 2, known);
		else if (option.kind == OPTION_SACK)
			translate_blocks(skb, tcp_at, at + 2, option.length - 2, known);
		at += option.length;
	}
}
