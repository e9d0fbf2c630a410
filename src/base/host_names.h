/* SPDX-License-Identifier: MIT */
/* base/host_names.h - the names by which a guest finds its host. */
#ifndef BASE_HOST_NAMES_H
#define BASE_HOST_NAMES_H

#define HOST_NAMES 4u
#define HOST_NAMES_LIST(X)						\
	X("host.slipway.internal")					\
	X("host.docker.internal")					\
	X("host.containers.internal")					\
	X("host.wsl.internal")

extern const char *const host_names[HOST_NAMES];

#endif
