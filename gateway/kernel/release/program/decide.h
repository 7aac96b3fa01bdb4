/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * What becomes of a packet of a released session, and what is noted of it.
 *
 * In the overlap both ways are open: bytes from the boundary on are forwarded, those
 * before it, and acknowledgements of what the old socket has sent, are the socket's. A byte
 * that goes both ways has the same number in the same place, so TCP drops one of them.
 */
#pragma once

#include "maps.h"
#include "packet.h"

enum decision {
	TO_STACK = 0,
	FORWARD = 1,
	DROP = 2,
};

/* Note that something has happened to a direction, and tell it once. */
static __always_inline void happened(const struct known *known, __u32 seen, __u32 what)
{
	if (known->own->seen & seen)
		return;
	known->own->seen |= seen;
	tell(known->flow, what);
}

/* Whether the session is over: both have said so, or one has reset. */
static __always_inline int is_over(const struct known *known)
{
	__u32 own = 1 << (known->flow->direction & 1), other = own ^ 3, ended = known->session->ended;

	if ((known->own->seen | known->other->seen) & SEEN_RESET)
		return 1;
	return (known->own->seen & SEEN_FIN || ended & own) && (known->other->seen & SEEN_FIN || ended & other);
}

/* A first packet of a connection that is there already. */
static __always_inline enum decision on_syn(const struct packet *packet, struct known *known)
{
	if (known->session->mode != MODE_FORWARD)
		return TO_STACK;
	if (packet->tcp.flags & ACK || !is_over(known))
		return FORWARD;
	known->session->mode = MODE_FREE;
	tell(known->flow, HAPPENED_AGAIN);
	return TO_STACK;
}

/* What both peers are to be reset with: what each of them expects next. */
static __always_inline enum decision on_kill(const struct packet *packet, struct known *known)
{
	known->own->acknowledged = packet->acknowledgement;
	known->own->end = end_of(packet);
	known->own->seen |= SEEN_PACKET;
	known->own->dropped++;
	return DROP;
}

/* Whose a packet of the overlap is. */
static __always_inline enum decision in_overlap(const struct packet *packet, struct known *known)
{
	__u32 end = end_of(packet);

	if (packet->tcp.flags & ACK && !BEFORE(packet->acknowledgement, known->own->own_end))
		happened(known, SEEN_DRAINED, HAPPENED_DRAINED);
	if (packet->tcp.flags & RST)
		return FORWARD;
	if (end == packet->sequence)
		return BEFORE(packet->acknowledgement, known->own->own_end) ? TO_STACK : FORWARD;
	/* what is the socket's in part is forwarded as a whole: it may be sent like this for ever, and is the same bytes */
	return UP_TO(end, known->own->boundary) ? TO_STACK : FORWARD;
}

/* Note what a forwarded packet says. */
static __always_inline void account(const struct packet *packet, struct known *known)
{
	struct direction *own = known->own;
	__u32 end = end_of(packet);

	if (!(own->seen & SEEN_PACKET)) {
		own->seen |= SEEN_PACKET;
		own->end = own->boundary;
		own->acknowledged = packet->acknowledgement;
	}
	own->packets++;
	own->heard = bpf_ktime_get_ns();
	if (BEFORE(own->end, end)) {
		own->bytes += end - own->end;
		own->end = end;
	}
	if (packet->tcp.flags & ACK && !BEFORE(packet->acknowledgement, own->acknowledged)) {
		own->acknowledged = packet->acknowledgement;
		own->window = packet->window;
	}
}

/* Note the ends of a session. */
static __always_inline void account_ends(const struct packet *packet, struct known *known)
{
	if (packet->tcp.flags & RST)
		happened(known, SEEN_RESET, HAPPENED_RESET);
	if (packet->tcp.flags & FIN) {
		known->own->fin = end_of(packet);
		happened(known, SEEN_FIN, HAPPENED_FIN);
	}
	if (known->other->seen & SEEN_FIN && packet->tcp.flags & ACK &&
	    !BEFORE(packet->acknowledgement + known->flow->acknowledgement, known->other->fin))
		happened(known, SEEN_FIN_ACK, HAPPENED_FIN);
}

static __always_inline enum decision decide(const struct packet *packet, struct known *known)
{
	__u32 mode = known->session->mode;
	enum decision decision;

	if (mode == MODE_FREE || mode == MODE_LEARN)
		return TO_STACK;
	if (packet->tcp.flags & SYN)
		return on_syn(packet, known);
	if (mode == MODE_KILL)
		return on_kill(packet, known);
	if (mode == MODE_OVERLAP) {
		decision = in_overlap(packet, known);
		if (decision != FORWARD)
			return decision;
	}
	account(packet, known);
	account_ends(packet, known);
	return FORWARD;
}
