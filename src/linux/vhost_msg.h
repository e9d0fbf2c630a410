/* SPDX-License-Identifier: MIT */
/*
 * linux/vhost_msg.h - messages of vhost-user, from the machine's process
 *
 * Source: "Vhost-user Protocol" in QEMU's documentation (interop). A message
 * is 12 bytes of header, all in the machine's byte order, and a payload, with
 * descriptors beside it. Here it becomes a value, or is refused. No system
 * calls, no state.
 */
#ifndef LINUX_VHOST_MSG_H
#define LINUX_VHOST_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "linux/guestmem.h"

#define VHOST_HEADER_BYTES	12u
#define VHOST_REGIONS_MAX	8u	/* in one SET_MEM_TABLE */
#define VHOST_PAYLOAD_MAX	(8u + VHOST_REGIONS_MAX * 32u)

enum vhost_request {
	VHOST_GET_FEATURES = 1, VHOST_SET_FEATURES = 2, VHOST_SET_OWNER = 3,
	VHOST_RESET_OWNER = 4, VHOST_SET_MEM_TABLE = 5,
	VHOST_SET_LOG_BASE = 6, VHOST_SET_LOG_FD = 7,
	VHOST_SET_VRING_NUM = 8, VHOST_SET_VRING_ADDR = 9,
	VHOST_SET_VRING_BASE = 10, VHOST_GET_VRING_BASE = 11,
	VHOST_SET_VRING_KICK = 12, VHOST_SET_VRING_CALL = 13,
	VHOST_SET_VRING_ERR = 14, VHOST_GET_PROTOCOL_FEATURES = 15,
	VHOST_SET_PROTOCOL_FEATURES = 16, VHOST_GET_QUEUE_NUM = 17,
	VHOST_SET_VRING_ENABLE = 18, VHOST_SEND_RARP = 19,
	VHOST_NET_SET_MTU = 20, VHOST_GET_MAX_MEM_SLOTS = 36,
	VHOST_ADD_MEM_REG = 37, VHOST_REM_MEM_REG = 38,
};

enum vhost_bad {
	VHOST_GOOD,
	VHOST_BAD_VERSION,
	VHOST_BAD_SIZE,		/* not the one that the request has */
	VHOST_BAD_REQUEST,	/* none that we have offered */
	VHOST_BAD_FDS,		/* more or fewer than it has */
};

/* What the header says. */
struct vhost_header {
	uint32_t request;
	bool wants_reply;	/* of a request that has none by itself */
	uint32_t size;		/* of the payload */
};

struct vhost_vring_addr {
	uint64_t desc, used, avail, log;
	bool logs;
};

/* One message; of the members below the header those that it has are set. */
struct vhost_msg {
	struct vhost_header head;
	uint64_t u64;		/* features, a MAC, an MTU, a log's size */
	uint64_t log_offset;
	uint32_t queue, num;	/* SET_VRING_*; queue of *_KICK and so on */
	bool no_fd;		/* of these: none comes, poll instead */
	struct vhost_vring_addr addr;
	uint32_t regions;
	struct guestmem_place region[VHOST_REGIONS_MAX];
};

/*
 * Read the header. VHOST_GOOD, or VHOST_BAD_VERSION; VHOST_BAD_SIZE: longer
 * than any message.
 */
MUST enum vhost_bad vhost_parse_header(const uint8_t b[VHOST_HEADER_BYTES],
				       struct vhost_header *out);

/**
 * vhost_parse() - read a payload
 * @head:	its header
 * @payload:	head->size bytes
 * @n_fds:	how many descriptors came beside it
 * @out:	written on success only
 */
MUST enum vhost_bad vhost_parse(const struct vhost_header *head,
				const uint8_t *payload, size_t n_fds,
				struct vhost_msg *out);

/* What is wrong, for the log. */
const char *vhost_bad_text(enum vhost_bad bad);

/* Bytes written: an answer of n bytes of payload, n <= 16. */
size_t vhost_emit(uint8_t *b, uint32_t request, const void *payload,
		  size_t n);

#endif
