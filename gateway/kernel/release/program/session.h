/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * What the program and the gateway both know of a released session. Its counterpart in
 * Python is layout.py; the sizes below are checked on both sides.
 */
#pragma once

#include <linux/types.h>

/* How far a session's release has come. */
enum mode {
	MODE_FREE = 0,		/* nobody's, or not begun: every packet goes its ordinary way */
	MODE_LEARN = 1,		/* its own sockets' packets show which interfaces lead to its peers */
	MODE_OVERLAP = 2,	/* forwarded, while its own sockets still have bytes to deliver */
	MODE_FORWARD = 3,	/* forwarded; the sockets are gone */
	MODE_KILL = 4,		/* dropped, while both peers are being reset */
};

/* What has been seen of one direction. */
enum seen {
	SEEN_PACKET = 1,
	SEEN_DRAINED = 2,	/* its sender has acknowledged all that the old socket sent to it */
	SEEN_FIN = 4,
	SEEN_FIN_ACK = 8,	/* its sender has acknowledged the other direction's FIN */
	SEEN_RESET = 16,
	SEEN_CLOCK = 32,	/* the offset of its timestamps is fixed */
};

/* What the gateway is told by the ring. */
enum happened {
	HAPPENED_DRAINED = 1,
	HAPPENED_FIN = 2,
	HAPPENED_RESET = 3,
	HAPPENED_AGAIN = 4,	/* the client uses the port of a finished session again */
};

enum trait {
	TRAIT_NO_ECN = 1,	/* only one of the legs has ECN: its bits are cleared */
};

/* A connection as one of its ends writes it: addresses (IPv4 in the first four bytes) and ports. */
struct tuple {
	__u8 source[16];
	__u8 destination[16];
	__be16 source_port;
	__be16 destination_port;
};

/* What a packet's tuple says: which session, which direction, what to change. */
struct flow {
	__u32 session;		/* index of struct session */
	__u32 direction;	/* 0: from the client, 1: from the server */
	__u32 sequence;		/* added to its sequence numbers */
	__u32 acknowledgement;	/* added to its acknowledgements, selective ones too */
	__s32 window_shift;	/* how far its windows are shifted to the left */
	__u32 clock;		/* milliseconds from the kernel's clock to the old socket's timestamps */
	__u32 traits;
	__be16 source_port;	/* in place of its own, if not 0 */
	__be16 destination_port;
};

/* A session: what both directions share. */
struct session {
	__u32 mode;
	__u32 ended;		/* bits of directions whose FIN the old socket had; written by the gateway */
};

/* One direction of a session; its index is twice the session's, plus the direction. */
struct direction {
	/* written by the gateway */
	__u32 boundary;		/* from this sequence number on, packets are forwarded */
	__u32 own_end;		/* where that ends which the old socket sent to this sender */
	__s32 own_window_shift;	/* from this sender's windows to those of the other leg's own socket */
	__u32 scale;		/* the window scale of what this sender sends */
	/* written by the program */
	__u32 interface;	/* which one leads to this sender */
	__u32 seen;
	__u32 end;		/* the highest sequence number so far */
	__u32 acknowledged;	/* its newest acknowledgement */
	__u32 window;		/* its newest window, not scaled */
	__u32 fin;		/* the number behind its FIN */
	__u32 clock;		/* added to its timestamps */
	__u32 dropped;		/* packets */
	__u64 packets;		/* forwarded */
	__u64 bytes;		/* by the progress of numbers: each byte once; a FIN counts as one */
	__u64 heard;		/* nanoseconds of the kernel's clock at its last packet */
};

/* What holds for all sessions. */
struct setting {
	__u32 forwarded_mark;	/* bits of a packet's mark: it was forwarded, and is not to be looked at again */
	__u32 bare_mark;	/* of a leg whose first packet is to go without timestamps */
};

struct event {
	__u32 session;
	__u32 direction;
	__u32 happened;
	__u32 reserved;
};

_Static_assert(sizeof(struct tuple) == 36, "layout.py");
_Static_assert(sizeof(struct flow) == 32, "layout.py");
_Static_assert(sizeof(struct session) == 8, "layout.py");
_Static_assert(sizeof(struct direction) == 72, "layout.py");
_Static_assert(sizeof(struct setting) == 8, "layout.py");
_Static_assert(sizeof(struct event) == 16, "layout.py");
