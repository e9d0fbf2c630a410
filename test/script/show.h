/* SPDX-License-Identifier: MIT */
/* test/script/show.h - a frame of the gateway's as a line of text. */
#ifndef SHOW_H
#define SHOW_H

#include "base/csum.h"
#include "base/frame.h"

#define SHOW_GUEST_PORT	40000
#define SHOW_PEER_PORT	80

/* What numbers are relative to. */
struct show {
	uint32_t guest_iss;
	uint32_t syn;			/* the guest's last, relative */
	bool keep;			/* and to the first SYN-ACK for ever */
	uint16_t peer_port;		/* 0: the next SYN of the gateway's says */
	bool known;			/* the gateway's are: */
	uint32_t iss, ts;
	bool has_frag;
	uint32_t frag_id;		/* of the first fragments shown */
	csum_t sum;			/* of the fragments so far */
};

/*
 * Write "< …" into text, size bytes. What is wrong with the packet and no
 * script could mean (checksum, bytes carried) adds words in capitals.
 */
void show_frame(struct show *s, const struct frame_meta *meta,
		const uint8_t *frame, size_t len, char *text, size_t size);

#endif
