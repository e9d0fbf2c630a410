/* SPDX-License-Identifier: MIT */
/*
 * linux/hostroutes.h - what the host's routes and addresses say, for hostenv.
 *
 * The functions are those of struct env_ops (env/env.h); ctx: struct hostenv.
 */
#ifndef LINUX_HOSTROUTES_H
#define LINUX_HOSTROUTES_H

#include "env/env.h"

struct hostenv;

enum env_route hostroutes_kind(void *ctx, const struct ip *ip);
void hostroutes_path(void *ctx, const struct ip *ip, struct env_path *out);
bool hostroutes_stranded(void *ctx, int id);
bool hostroutes_moved(void *ctx, int id);
bool hostroutes_address(void *ctx, bool v6, unsigned n, struct ip *out);

/* They have changed: what is kept of the answers is forgotten. */
void hostroutes_changed(struct hostenv *he);

#endif
