/* SPDX-License-Identifier: MIT */
/* proto/icmp_map.h - the host's network errors in the guest's words. */
#ifndef PROTO_ICMP_MAP_H
#define PROTO_ICMP_MAP_H

#include "env/env.h"
#include "wire/icmp.h"

/*
 * What an error from the host's error queue says, to the very code; host
 * unreachable, if it is none that is known.
 */
enum icmp_error icmp_map(const struct env_net_error *e);

/*
 * What the guest is told when a send failed at once: true and the error,
 * or false where it hears nothing (as on any network: the packet is lost).
 */
bool icmp_map_send(int env_error, enum icmp_error *out);

#endif
