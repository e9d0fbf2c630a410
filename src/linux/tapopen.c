/* SPDX-License-Identifier: MIT */
#include "linux/tapopen.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "linux/tap.h"

#ifndef TUN_F_USO4			/* Linux 6.2 */
#define TUN_F_USO4	0x20
#define TUN_F_USO6	0x40
#endif

#define DEVICE "/dev/net/tun"

static int explain_open(struct fail *fail, int err)
{
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return fail_set(fail, "cannot open " DEVICE ": there is none; "
				"as root: modprobe tun; in a container: start "
				"it with --device " DEVICE);
	case EACCES:
	case EPERM:
		return fail_set(fail, "cannot open " DEVICE ": %s; as root: "
				"chmod 666 " DEVICE "; in a container: start "
				"it with --device " DEVICE, strerror(err));
	default:
		return fail_set(fail, "cannot open " DEVICE ": %s",
				strerror(err));
	}
}

/*
 * Checksums are needed for TSO, TSO for ECN, and the USO bits go only both
 * together: so from the full set downwards, what each kernel knows.
 */
static uint32_t offer_offloads(int fd)
{
	static const uint32_t sets[] = {
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN |
			TUN_F_USO4 | TUN_F_USO6,
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6,
		TUN_F_CSUM,
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)sets[i]) == 0)
			return sets[i];
	return 0;
}

bool tap_takes_uso(uint32_t offloads)
{
	return offloads & TUN_F_USO4;
}

/* kind: IFF_TAP or IFF_TUN. */
static int open_device(short kind, const char *pattern, char *name,
		       uint32_t *offloads, struct fail *fail)
{
	const int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq ifr = {
		.ifr_flags = (short)(kind | IFF_NO_PI | IFF_VNET_HDR),
	};
	const int header_bytes = TAP_HEADER_BYTES;
	int err;

	if (fd < 0)
		return explain_open(fail, errno);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", pattern);
	if (ioctl(fd, TUNSETIFF, &ifr) ||
	    ioctl(fd, TUNSETVNETHDRSZ, &header_bytes)) {
		err = errno;
		close(fd);
		return fail_set(fail, "cannot make the interface %.*s: %s%s",
				(int)strcspn(pattern, "%"), pattern,
				strerror(err), err == EPERM ?
				"; it needs root, or CAP_NET_ADMIN" : "");
	}
	*offloads = offer_offloads(fd);
	if (name)
		memcpy(name, ifr.ifr_name, sizeof(ifr.ifr_name));
	return fd;
}

bool tap_is_ours(int fd)
{
	const short wanted = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	struct ifreq ifr = { .ifr_flags = 0 };
	int header_bytes = 0;

	return ioctl(fd, TUNGETIFF, &ifr) == 0 &&
	       (ifr.ifr_flags & wanted) == wanted &&
	       ioctl(fd, TUNGETVNETHDRSZ, &header_bytes) == 0 &&
	       header_bytes == TAP_HEADER_BYTES &&
	       fcntl(fd, F_GETFL) & O_NONBLOCK;
}

int tap_open(const char *ifname, uint32_t *offloads, struct fail *fail)
{
	return open_device(IFF_TAP, ifname, NULL, offloads, fail);
}

int tun_open(const char *pattern, char *name, uint32_t *offloads,
	     struct fail *fail)
{
	return open_device(IFF_TUN, pattern, name, offloads, fail);
}
