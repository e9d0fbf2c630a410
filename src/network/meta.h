/* SPDX-License-Identifier: MIT */
/*
 * network/meta.h - what a link says of a packet that passes as it is.
 *
 * Another stack will go by it, so it has to be true, whoever says it. All
 * offsets count from the IP header.
 */
#ifndef NETWORK_META_H
#define NETWORK_META_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/frame.h"
#include "wire/ip.h"

/* Is it so? A batch has a size, a checksum is where TCP or UDP has its own. */
MUST bool meta_is_true(const struct frame_meta *m, const struct ip_packet *ip);

/* Of IP and what follows, up to the data of TCP or UDP. */
size_t meta_headers_bytes(const struct ip_packet *ip);

/* IPv4 options, or extension headers of IPv6. */
bool meta_has_options(const struct ip_packet *ip);

#endif
