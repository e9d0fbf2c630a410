/* SPDX-License-Identifier: MIT */
#include "doctor/netif.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "linux/sockaddr.h"

static unsigned mtu_of(const char *name)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_mtu = 0 };

	if (fd < 0)
		return 0;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFMTU, &r) < 0)
		r.ifr_mtu = 0;
	close(fd);
	return (unsigned)r.ifr_mtu;
}

/* A sockaddr of ifaddrs is aligned as it likes. */
static uint32_t v4_of(const struct sockaddr *sa)
{
	struct sockaddr_in in;

	memcpy(&in, sa, sizeof(in));
	return ntohl(in.sin_addr.s_addr);
}

unsigned netif_list(struct netif *out, unsigned max)
{
	struct ifaddrs *all = NULL;
	unsigned n = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (struct ifaddrs *a = all; a && n < max; a = a->ifa_next) {
		struct netif *i = &out[n];

		if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET ||
		    a->ifa_flags & IFF_LOOPBACK)
			continue;
		*i = (struct netif){ .ip = ip_from_v4(v4_of(a->ifa_addr)),
				     .up = a->ifa_flags & IFF_UP,
				     .mtu = mtu_of(a->ifa_name) };
		snprintf(i->name, sizeof(i->name), "%s", a->ifa_name);
		i->bits = a->ifa_netmask ? (uint8_t)__builtin_popcount(
					v4_of(a->ifa_netmask)) : 32;
		n++;
	}
	freeifaddrs(all);
	return n;
}

struct prefix netif_subnet(const struct netif *n)
{
	const uint32_t mask = n->bits ? UINT32_MAX << (32 - n->bits) : 0;

	return (struct prefix){ .ip = ip_from_v4(ip_to_v4(n->ip) & mask),
				.bits = n->bits };
}

bool netif_has(const struct netif *n, const struct ip *ip)
{
	const struct prefix p = netif_subnet(n);

	return prefix_has(&p, ip);
}
