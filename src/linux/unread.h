/* SPDX-License-Identifier: MIT */
/*
 * linux/unread.h - bytes of a TCP socket, copied from it and left in it
 *
 * What a guest has not acknowledged may have to be sent again. Read it once and
 * it is to be kept, so each byte is copied twice: out of the socket, and to the
 * guest. Left in the socket it is kept there, and copied once, by recvmsg(2)
 * with MSG_PEEK, from where SO_PEEK_OFF (socket(7)) says.
 */
#ifndef LINUX_UNREAD_H
#define LINUX_UNREAD_H

#include <stdbool.h>

#include "base/check.h"
#include "base/frame.h"
#include "base/span.h"

/*
 * Does this kernel do it well? SO_PEEK_OFF of TCP came with Linux 6.9 for IPv4
 * and with 6.11 for IPv6; until 6.14 a socket whose buffer was full of what
 * stayed unread could keep its window shut for good.
 */
bool unread_is_sound(void);

/*
 * Copy those bytes into v, which has as much room, in IOV_MAX pieces at most. 0;
 * -ENODATA: not all of them are there, or not this way; how many were copied is
 * not known then.
 */
MUST int unread_copy(const struct frame_unread *what, const struct span *v,
		     unsigned n);

#endif
