// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Released sessions: TCP of two legs, joined in the kernel.
 *
 * Two programs, on the Ethernet devices that lead to clients and servers. `arrive` (tc ingress)
 * translates what one peer sends into the numbers of the other leg and sends it on to
 * the other peer's device, past the stack; `leave` (tc egress) looks after what the old sockets
 * still send in the overlap. A packet that belongs to no released session costs one look-up.
 *
 * Uses nothing but the kernel's UAPI: no BTF, no CO-RE, no structures of the kernel.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "decide.h"
#include "error.h"
#include "maps.h"
#include "own.h"
#include "packet.h"
#include "strange.h"
#include "translate.h"

/* Other programs, then the stack. */
#define NEXT (-1)

#define ECN_V4 0x03
#define ECN_V6 0x30

static __always_inline int forward_v4(struct __sk_buff *skb, const struct known *known)
{
	__be16 before, after;

	/* of the 16-bit word with the hops, in memory's order */
	if (bpf_skb_load_bytes(skb, ETH_HLEN + 8, &before, sizeof(before)))
		return TC_ACT_SHOT;
	after = bpf_htons(bpf_ntohs(before) - 0x0100);
	bpf_l3_csum_replace(skb, ETH_HLEN + 10, before, after, 2);
	bpf_skb_store_bytes(skb, ETH_HLEN + 8, &after, sizeof(after), 0);
	if (known->flow->traits & TRAIT_NO_ECN) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &before, sizeof(before)))
			return TC_ACT_SHOT;
		after = before & bpf_htons(0xffff & ~ECN_V4);
		bpf_l3_csum_replace(skb, ETH_HLEN + 10, before, after, 2);
		bpf_skb_store_bytes(skb, ETH_HLEN, &after, sizeof(after), 0);
	}
	return bpf_redirect_neigh(known->other->interface, NULL, 0, 0);
}

static __always_inline int forward_v6(struct __sk_buff *skb, const struct packet *packet, const struct known *known)
{
	__u8 hops = packet->hops - 1, class;

	bpf_skb_store_bytes(skb, ETH_HLEN + 7, &hops, sizeof(hops), 0);
	if (known->flow->traits & TRAIT_NO_ECN) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN + 1, &class, sizeof(class)))
			return TC_ACT_SHOT;
		class &= ~ECN_V6;
		bpf_skb_store_bytes(skb, ETH_HLEN + 1, &class, sizeof(class), 0);
	}
	return bpf_redirect_neigh(known->other->interface, NULL, 0, 0);
}

/* Whether the next device takes a packet of this size, and the packet may live on. If not, the stack says so to its sender. */
static __always_inline int may_go_on(struct __sk_buff *skb, const struct packet *packet, const struct known *known)
{
	__u32 length = 0;

	if (packet->hops <= 1)
		return 0;
	return !bpf_check_mtu(skb, known->other->interface, &length, 0, skb->gso_segs ? BPF_MTU_CHK_SEGS : 0);
}

/* What one peer has sent: up, on, or nowhere. `tcp_at` is a constant wherever this is written out. */
static __always_inline int arrived(struct __sk_buff *skb, struct packet *packet, __u32 tcp_at)
{
	const struct setting *setting = the_settings();
	struct known known;

	if (!setting || !read_tcp(packet) || !look_up(&packet->tuple, &known))
		return NEXT;
	if (skb->ifindex != known.own->interface)
		return NEXT;
	switch (decide(packet, &known)) {
	case DROP:
		return TC_ACT_SHOT;
	case TO_STACK:
		dress_for_socket(skb, tcp_at, packet, &known);
		return NEXT;
	case FORWARD:
		break;
	}
	if (!may_go_on(skb, packet, &known))
		return NEXT;
	skb->mark |= setting->forwarded_mark;
	translate_header(skb, tcp_at, packet, &known);
	if (packet->options)
		translate_options(skb, tcp_at, packet, &known);
	return tcp_at == TCP_AT_V4 ? forward_v4(skb, &known) : forward_v6(skb, packet, &known);
}

/* What goes out. */
static __always_inline int left(struct __sk_buff *skb, struct packet *packet, __u32 tcp_at)
{
	const struct setting *setting = the_settings();
	struct known known;
	struct tuple back;

	if (!setting || skb->mark & setting->forwarded_mark || !read_tcp(packet))
		return NEXT;
	if (packet->tcp.flags & SYN) {
		if (skb->mark & setting->bare_mark && !(packet->tcp.flags & ACK))
			undress(skb, tcp_at, packet);
		return NEXT;
	}
	reversed(&packet->tuple, &back);
	if (!look_up(&back, &known))
		return NEXT;
	return freshen(skb, tcp_at, packet, &known) ? NEXT : TC_ACT_SHOT;
}

SEC("tc/arrive_v4") int arrive_v4(struct __sk_buff *skb)
{
	struct packet packet;

	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->vlan_present)
		return NEXT;
	if (read_v4(skb, &packet))
		return arrived(skb, &packet, TCP_AT_V4);
	translate_error_v4(skb);
	note_strange_v4(skb);
	return NEXT;
}

SEC("tc/arrive_v6") int arrive_v6(struct __sk_buff *skb)
{
	struct packet packet;

	if (skb->protocol != bpf_htons(ETH_P_IPV6) || skb->vlan_present)
		return NEXT;
	if (read_v6(skb, &packet))
		return arrived(skb, &packet, TCP_AT_V6);
	translate_error_v6(skb);
	note_strange_v6(skb);
	return NEXT;
}

SEC("tc/leave_v4") int leave_v4(struct __sk_buff *skb)
{
	struct packet packet;

	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->vlan_present || !read_v4(skb, &packet))
		return NEXT;
	return left(skb, &packet, TCP_AT_V4);
}

SEC("tc/leave_v6") int leave_v6(struct __sk_buff *skb)
{
	struct packet packet;

	if (skb->protocol != bpf_htons(ETH_P_IPV6) || skb->vlan_present || !read_v6(skb, &packet))
		return NEXT;
	return left(skb, &packet, TCP_AT_V6);
}

char _license[] SEC("license") = "Dual MIT/GPL";
