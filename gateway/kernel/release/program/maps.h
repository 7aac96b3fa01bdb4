/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * What the program keeps. The gateway makes the maps, so that it decides how large they are.
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "session.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct tuple);
	__type(value, struct flow);
	__uint(max_entries, 1);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct session);
	__uint(max_entries, 1);
} sessions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct direction);
	__uint(max_entries, 1);
} directions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct setting);
	__uint(max_entries, 1);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

/*
 * Connections that have packets which the program does not read: with IP options, extension headers,
 * or in fragments. They can't be forwarded. What has not been seen for long is forgotten.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct tuple);
	__type(value, __u32);
	__uint(max_entries, 1);
} strange SEC(".maps");

/* All that is known of one packet's session. */
struct known {
	struct flow *flow;
	struct session *session;
	struct direction *own;		/* of this packet's sender */
	struct direction *other;
};

static __always_inline int look_up(const struct tuple *tuple, struct known *known)
{
	__u32 own, other;

	known->flow = bpf_map_lookup_elem(&flows, tuple);
	if (!known->flow)
		return 0;
	known->session = bpf_map_lookup_elem(&sessions, &known->flow->session);
	own = known->flow->session * 2 + (known->flow->direction & 1);
	other = own ^ 1;
	known->own = bpf_map_lookup_elem(&directions, &own);
	known->other = bpf_map_lookup_elem(&directions, &other);
	return known->session && known->own && known->other;
}

static __always_inline const struct setting *the_settings(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&settings, &only);
}

static __always_inline void tell(const struct flow *flow, __u32 happened)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	/* a full ring loses it: the gateway also looks by itself, from time to time */
	if (!event)
		return;
	event->session = flow->session;
	event->direction = flow->direction;
	event->happened = happened;
	event->reserved = 0;
	bpf_ringbuf_submit(event, 0);
}
