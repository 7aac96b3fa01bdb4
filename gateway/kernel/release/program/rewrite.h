/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Changing words of a packet together with TCP's checksum.
 */
#pragma once

#include <stddef.h>

#include "packet.h"

#define OPTIONS_MOST 12		/* of one header: 40 bytes, of which the useful ones take 3 and more */
#define SACK_BLOCKS_MOST 4

#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_SACK 5
#define OPTION_TIMESTAMPS 8
#define LENGTH_TIMESTAMPS 10

struct option {
	__u8 kind;
	__u8 length;
};

/* A word in network byte order as it counts in the checksum if it begins at an odd place. */
static __always_inline __u32 as_summed(__u32 word, __u32 odd)
{
	return odd ? (word << 8) | (word >> 24) : word;
}

/* Put a 32-bit word in the place of another. */
static __always_inline void put_word(struct __sk_buff *skb, __u32 tcp_at, __u32 at, __u32 before, __u32 after)
{
	__u32 odd = (at - tcp_at) & 1;

	if (before == after)
		return;
	bpf_l4_csum_replace(skb, tcp_at + offsetof(struct tcp, checksum), as_summed(before, odd), as_summed(after, odd), 4);
	bpf_skb_store_bytes(skb, at, &after, sizeof(after), 0);
}

/* Put a 16-bit word of the fixed header in the place of another. */
static __always_inline void put_half(struct __sk_buff *skb, __u32 tcp_at, __u32 at, __u16 before, __u16 after)
{
	if (before == after)
		return;
	bpf_l4_csum_replace(skb, tcp_at + offsetof(struct tcp, checksum), before, after, 2);
	bpf_skb_store_bytes(skb, at, &after, sizeof(after), 0);
}

/* The option at `at`, or nothing if there is none that goes on until `end`. Padding is an option of one byte. */
static __always_inline int read_option(struct __sk_buff *skb, __u32 at, __u32 end, struct option *option)
{
	if (at >= end || bpf_skb_load_bytes(skb, at, &option->kind, 1) || option->kind == OPTION_END)
		return 0;
	if (option->kind == OPTION_NOP) {
		option->length = 1;
		return 1;
	}
	if (at + 1 >= end || bpf_skb_load_bytes(skb, at + 1, &option->length, 1))
		return 0;
	return option->length >= 2 && at + option->length <= end;
}

/* A window that was counted in units of one scale, in units of another; never more than fits. */
static __always_inline __u32 shifted(__u32 window, __s32 shift)
{
	window = shift >= 0 ? window << (shift & 15) : window >> (-shift & 15);
	return window > 0xffff ? 0xffff : window;
}
