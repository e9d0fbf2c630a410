/* SPDX-License-Identifier: MIT */
/*
 * cmd/static_names.c - who and where, by name, in a program without libraries
 *
 * glibc would load what nsswitch.conf names (systemd, sss, mdns4_minimal, …)
 * as shared libraries, which fit the glibc of the system that the program was
 * copied to, if there is one, and not the one it has inside. It dies of that.
 * What glibc has built in is enough. musl has nothing else.
 */
#include <features.h>

#ifdef __GLIBC__
#include <nss.h>

__attribute__((constructor)) static void only_what_is_built_in(void)
{
	static const char *const lists[][2] = {
		{ "passwd", "files" }, { "group", "files" },
		{ "initgroups", "files" }, { "services", "files" },
		{ "networks", "files" }, { "hosts", "files dns" },
	};

	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		(void)!__nss_configure_lookup(lists[i][0], lists[i][1]);
}
#endif
