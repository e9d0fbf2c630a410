/* SPDX-License-Identifier: MIT */
/*
 * cmd/vmsocket.h - the socket at which a virtual machine joins
 *
 * Made here, where paths can be seen, and lent to the keeper, whose engine
 * cannot. A listening one (--qemu, --vhost-user) is the engine's alone from
 * then on. One of datagrams (--qemu-dgram) we go on connecting to the
 * machine's own, as often as that is made anew. To a machine that listens
 * itself (--qemu-connect) we connect whenever it is there and we are not, and
 * hand each connection to the engine (linux/link.h). One that we were started with
 * (--fd) listens, or has the one machine at its other end.
 */
#ifndef CMD_VMSOCKET_H
#define CMD_VMSOCKET_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/un.h>

#include "base/check.h"
#include "base/fail.h"
#include "config/config.h"

struct vmsocket {
	int fd;
	int door;		/* through which connections go; or -1 */
	int machine_fd;		/* the last that did; -1: it has ended */
	uint64_t next_ms;	/* not before then there is another */
	struct sockaddr_un own;
	char peer[PATH_MAX];	/* the machine's own; "": it connects to us */
	int watch_fd;		/* readable when peer may have changed; or -1 */
	unsigned tries;		/* since then */
	bool given;		/* not made by us, nor ours to remove */
	bool connected;		/* given, with a machine at its other end */
	bool vhost_user;	/* what comes there speaks that, not frames */
	bool told;		/* that peer cannot be used */
};

/*
 * Make the socket of each link of c, or take the ones that a service manager
 * has made for us, which are to be listening ones at their paths; all has
 * room for CONFIG_LINKS_MAX. 0, or -1 with fail set: then there is none.
 */
MUST int vmsocket_open_all(struct vmsocket *all, const struct config *c,
			   struct fail *fail);

/*
 * The keeper has it: give up what is only its own. A connected one we keep,
 * to see its end.
 */
void vmsocket_lent(struct vmsocket *s);

/*
 * Connect to the machine if it is there. Milliseconds until this is to be
 * called again, -1: not before watch_fd is readable, or machine_fd has ended.
 */
int vmsocket_connect(struct vmsocket *s);

/* Close it, and remove it from the file system. */
void vmsocket_close(struct vmsocket *s);

/* The options that QEMU wants for it, on a line. */
void vmsocket_print(const struct vmsocket *s, FILE *out);

#endif
