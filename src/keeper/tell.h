/* SPDX-License-Identifier: MIT */
/* keeper/tell.h - what the keeper passes on as it is. */
#ifndef KEEPER_TELL_H
#define KEEPER_TELL_H

struct front_boot;
struct keeper;

/* To the engine: DNS servers, those of domains, the hosts file. */
void tell_resolvers(struct keeper *k);
void tell_zones(struct keeper *k);
void tell_hosts(struct keeper *k);

/* To the log, and so to `status` unless all is well: what became of `[boot]
   command`. */
void tell_boot(struct keeper *k, const struct front_boot *m);

#endif
