/* SPDX-License-Identifier: MIT */
/*
 * doctor/probe_path.c - how large packets may be on the way to an address
 *
 * Pings that may not be fragmented, by the kernel's ping sockets, which need
 * no privilege where net.ipv4.ping_group_range lets us. What the kernel has
 * learnt of the path is passed over (PMTUDISC_PROBE): it is to be seen again.
 *
 * If the largest that the route carries is lost, and nobody says why, while a
 * small one is answered, that is a hole; then the sizes below are tried that
 * links and tunnels are known to have.
 */
#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor/clock.h"
#include "doctor/probe.h"
#include "linux/sockaddr.h"

#define PACKET_MAX	65535
#define ICMP_BYTES	8
#define ECHO4		8		/* RFC 792 */
#define ECHO6		128		/* RFC 4443 section 4.1 */
#define TRY_MS		700
#define SMALL_BYTES	128
#define SMALL6_BYTES	256

/*
 * Ethernet, PPPoE, IPsec, WireGuard over IPv4 and IPv6, OpenVPN, GRE, what
 * IPv6 must carry, what IPv4 must.
 */
static const uint16_t sizes[] = {
	9000, 4000, 1500, 1492, 1480, 1476, 1460, 1440, 1420, 1400, 1380,
	1360, 1340, 1320, 1300, 1280, 1200, 1000, 576, 256,
};

static unsigned headers(const struct ip *ip)
{
	return (ip_is4(ip) ? 20 : 40) + ICMP_BYTES;
}

static int open_ping(const struct ip *to)
{
	const bool v4 = ip_is4(to);
	const int on = 1;
	const int mode = v4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE;
	const struct endpoint e = { .ip = *to };
	struct sockaddr_any sa;
	const socklen_t len = sockaddr_from(&sa, &e);
	const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	const int fd = socket(sa.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC |
			      SOCK_NONBLOCK, v4 ? IPPROTO_ICMP :
						  IPPROTO_ICMPV6);

	if (fd < 0)
		return -EACCES;
	setsockopt(fd, level, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &mode,
		   sizeof(mode));
	setsockopt(fd, level, v4 ? IP_RECVERR : IPV6_RECVERR, &on,
		   sizeof(on));
	if (connect(fd, &sa.sa, len) == 0)
		return fd;
	close(fd);
	return -EHOSTUNREACH;
}

/* The error that waits there: its errno and, of EMSGSIZE, what would fit. */
static int queued_error(int fd, unsigned *mtu)
{
	char control[512];
	struct msghdr m = { .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int error = 0;

	if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct sock_extended_err e;

		if (!((c->cmsg_level == IPPROTO_IP &&
		       c->cmsg_type == IP_RECVERR) ||
		      (c->cmsg_level == IPPROTO_IPV6 &&
		       c->cmsg_type == IPV6_RECVERR)))
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		error = (int)e.ee_errno;
		if (error == EMSGSIZE)
			*mtu = e.ee_info;
	}
	return error;
}

static enum probe_size of_error(int error)
{
	switch (error) {
	case EMSGSIZE:
		return SIZE_TOO_BIG;
	case EACCES:
	case EPERM:
		return SIZE_FORBIDDEN;
	default:
		return SIZE_UNREACHABLE;
	}
}

/* Does the answer to seq come until then? */
static enum probe_size wait_answer(int fd, uint16_t seq, int64_t end,
				   unsigned *mtu)
{
	uint8_t buf[ICMP_BYTES];
	int error;

	while (clock_wait(fd, POLLIN, end)) {
		const ssize_t n = recv(fd, buf, sizeof(buf), 0);
		const int own = n < 0 && errno != EAGAIN ? errno : 0;

		error = n < 0 ? queued_error(fd, mtu) : 0;
		if (error || own)
			return of_error(error ? error : own);
		if (n == sizeof(buf) && buf[6] == seq >> 8 &&
		    buf[7] == (seq & 0xff))
			return SIZE_PASSES;
	}
	return SIZE_SILENT;
}

static enum probe_size ping_once(int fd, const struct ip *to, unsigned bytes,
				 uint16_t seq, int ms, unsigned *mtu)
{
	static uint8_t packet[PACKET_MAX];
	const size_t len = bytes - headers(to) + ICMP_BYTES;
	const int64_t end = clock_ms() + ms;
	int error;

	memset(packet, 0, ICMP_BYTES);
	packet[0] = ip_is4(to) ? ECHO4 : ECHO6;
	packet[6] = (uint8_t)(seq >> 8);
	packet[7] = (uint8_t)seq;
	if (send(fd, packet, len, 0) < 0) {
		error = queued_error(fd, mtu);
		return of_error(error ? error : errno);
	}
	return wait_answer(fd, seq, end, mtu);
}

enum probe_size probe_ping(const struct ip *to, unsigned bytes,
			   unsigned tries, int ms, unsigned *mtu)
{
	const int fd = open_ping(to);
	enum probe_size got = SIZE_SILENT;

	*mtu = 0;
	if (fd < 0)
		return of_error(-fd);
	for (unsigned i = 0; i < tries && got == SIZE_SILENT; i++)
		got = ping_once(fd, to, bytes, (uint16_t)(i + 1), ms, mtu);
	close(fd);
	return got;
}

/* What a packet to there may have by the kernel's route; 0: no route. */
static unsigned route_bytes(const struct ip *to)
{
	const bool v4 = ip_is4(to);
	const struct endpoint e = { .ip = *to, .port = 9 };
	struct sockaddr_any sa;
	const socklen_t len = sockaddr_from(&sa, &e);
	const int fd = socket(sa.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(int);
	int mtu = 0;

	if (fd < 0)
		return 0;
	if (connect(fd, &sa.sa, len) < 0 ||
	    getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6,
		       v4 ? IP_MTU : IPV6_MTU, &mtu, &size) < 0)
		mtu = 0;
	close(fd);
	return mtu > PACKET_MAX ? PACKET_MAX : (unsigned)mtu;
}

/* The largest of `sizes' below `over' that passes, or small. */
static unsigned largest(const struct ip *to, unsigned over, unsigned small)
{
	unsigned low = 0, high = sizeof(sizes) / sizeof(sizes[0]), mtu;

	/* sizes[low..high) may pass, and all from high on do. */
	while (low < high) {
		const unsigned mid = (low + high) / 2;

		if (sizes[mid] < over && (sizes[mid] <= small ||
		    probe_ping(to, sizes[mid], 2, TRY_MS, &mtu) ==
		    SIZE_PASSES))
			high = mid;
		else
			low = mid + 1;
	}
	return low < sizeof(sizes) / sizeof(sizes[0]) && sizes[low] > small ?
	       sizes[low] : small;
}

/* The largest was lost: alone, or with all that is sent there? */
static void look_for_hole(const struct ip *to, struct path *out)
{
	const unsigned small = ip_is4(to) ? SMALL_BYTES : SMALL6_BYTES;
	unsigned mtu;

	out->kind = PATH_SILENT;
	if (out->route <= small ||
	    probe_ping(to, small, 2, TRY_MS, &mtu) != SIZE_PASSES)
		return;
	/* Once more: it may have been chance. */
	if (probe_ping(to, out->route, 2, TRY_MS, &mtu) == SIZE_PASSES) {
		*out = (struct path){ PATH_CLEAR, out->route, out->route };
		return;
	}
	out->kind = PATH_HOLE;
	out->bytes = largest(to, out->route, small);
}

void probe_path(const struct ip *to, struct path *out)
{
	unsigned mtu;

	*out = (struct path){ .kind = PATH_UNREACHABLE,
			      .route = route_bytes(to) };
	if (out->route < headers(to))
		return;
	switch (probe_ping(to, out->route, 2, TRY_MS, &mtu)) {
	case SIZE_PASSES:
		out->kind = PATH_CLEAR;
		out->bytes = out->route;
		break;
	case SIZE_TOO_BIG:
		out->kind = PATH_NARROW;
		out->bytes = mtu;
		break;
	case SIZE_SILENT:
		look_for_hole(to, out);
		break;
	case SIZE_UNREACHABLE:
		break;
	case SIZE_FORBIDDEN:
		out->kind = PATH_FORBIDDEN;
		break;
	}
}
