/* SPDX-License-Identifier: MIT */
#include "linux/hostif.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "linux/netlink.h"
#include "linux/tapopen.h"

#define QUEUE_FRAMES	1000u

/* A setting of the interface's; a host without IPv6 has none of them. */
static void set_ip6(const char *name, const char *key, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", name,
		 key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, value, strlen(value));
	close(fd);
}

static int configure(struct netlink *nl, const struct hostif_setup *s,
		     const char *name)
{
	int rc;

	set_ip6(name, "accept_ra", "0");
	set_ip6(name, "router_solicitations", "0");
	rc = netlink_no_auto_ip6(nl, name);
	if (rc && s->v6)
		return rc;
	rc = netlink_addr_add(nl, name, &s->gateway4, s->bits4);
	if (!rc)
		rc = netlink_link_up(nl, name, s->mtu, NULL, QUEUE_FRAMES);
	if (!rc && s->v6)
		rc = netlink_addr_add(nl, name, &s->gateway6, s->bits6);
	return rc;
}

int hostif_open(const struct hostif_setup *s, struct hostif *out,
		struct fail *fail)
{
	struct hostif h = { .fd = -1 };
	struct fail why;
	struct netlink *nl;
	int rc;

	h.fd = tun_open(HOSTIF_PATTERN, h.name, &h.offloads, &why);
	if (h.fd < 0)
		return fail_set(fail, "--host-interface: %.200s", why.text);
	nl = netlink_open();
	rc = nl ? configure(nl, s, h.name) : -errno;
	if (nl)
		netlink_close(nl);
	h.index = if_nametoindex(h.name);
	if (rc) {
		close(h.fd);
		return fail_set(fail, "--host-interface: %s cannot be set up: "
				"%s; does another interface have that "
				"subnet?", h.name, strerror(-rc));
	}
	*out = h;
	return 0;
}
