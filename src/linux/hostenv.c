/* SPDX-License-Identifier: MIT */
#include "linux/hostenv.h"

#include <netinet/in.h>	/* before <linux/…>, which would have its own */

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "linux/hostroutes.h"
#include "linux/listeners.h"
#include "linux/mark.h"
#include "linux/sockaddr.h"

#define KEEPALIVE_S	75
#define STALL_RETRIES	2
#define STALL_MSS	1240
#define WAIT_MS		3000	/* repairs of what is lost take less */
#define TCP_STAMPS	12	/* bytes of that option, padded */
#define TCP_PART_LEAST	(128u << 10)	/* of memory, for a stream in a crowd */
#define TCP_PART_MOST	(512u << 10)
#define UDP_QUEUE_BYTES	(4 << 20)	/* more than net.core.rmem_max: all */

/* What one call may send in a batch: UDP_MAX_SEGMENTS, and RFC 768. */
#define BATCH_DATAGRAMS	64u
#define BATCH_BYTES	65487u		/* below 65,535 with an IPv6 header */

enum env_error hostenv_error(int error)
{
	switch (error) {
	case EAGAIN:
	case EINPROGRESS:
	case EALREADY:
		return ENV_AGAIN;
	case ECONNREFUSED:
		return ENV_REFUSED;
	case ENETUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:	/* no source address: no route either */
		return ENV_NET_UNREACHABLE;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return ENV_HOST_UNREACHABLE;
	case ETIMEDOUT:
		return ENV_TIMED_OUT;
	case ECONNRESET:
	case EPIPE:
		return ENV_RESET;
	case EACCES:
	case EPERM:
		return ENV_ACCESS;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case ENOSPC:		/* epoll watches of this user */
		return ENV_LIMIT;
	case EMSGSIZE:
		return ENV_TOO_BIG;
	default:
		return ENV_OTHER;
	}
}

unsigned hostenv_events(uint32_t e)
{
	return (e & (EPOLLIN | EPOLLPRI | EPOLLRDHUP) ? ENV_READABLE : 0u) |
	       (e & EPOLLPRI ? ENV_URGENT : 0u) |
	       (e & EPOLLRDHUP ? ENV_ENDED : 0u) |
	       (e & EPOLLOUT ? ENV_WRITABLE : 0u) |
	       (e & (EPOLLERR | EPOLLHUP) ? ENV_FAILED : 0u);
}

static int failed(void)
{
	return -(int)hostenv_error(errno);
}

static int enrol(struct hostenv *he, int fd, uint32_t events,
		 struct handle owner)
{
	struct epoll_event ev = {
		.events = events, .data.u64 = hostenv_datum(owner),
	};

	return epoll_ctl(he->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static int get_int(int fd, int level, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);

	(void)!getsockopt(fd, level, option, &value, &len);
	return value;
}

static void set_int(int fd, int level, int option, int value)
{
	/* Best effort: each of these only betters what works without. */
	(void)!setsockopt(fd, level, option, &value, sizeof(value));
}

/*
 * Errors about the SYN are to be told with who reported them. From then on
 * they are not: each would fail a connection that can survive it (RFC 1122
 * section 4.2.3.9).
 */
static void report_errors(int fd, int family, int on)
{
	if (family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, on);
	else
		set_int(fd, IPPROTO_IP, IP_RECVERR, on);
}

static void set_ttl(int fd, int family, uint8_t ttl)
{
	if (!ttl)
		return;
	if (family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
	else
		set_int(fd, IPPROTO_IP, IP_TTL, ttl);
}

/* The urgent byte is read in its place, and events tell of it. */
static int enrol_stream(struct hostenv *he, int fd, struct handle owner)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	return enrol(he, fd, EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP |
			     EPOLLET, owner);
}

int hostenv_enrol(struct hostenv *he, int fd, struct handle owner)
{
	return enrol_stream(he, fd, owner);
}

static int tcp_connect(void *ctx, const struct endpoint *to, uint8_t ttl,
		       uint16_t mss, struct handle owner)
{
	struct sockaddr_any sa;
	const socklen_t len = sockaddr_from(&sa, to);
	const int fd = socket(sa.sa.sa_family,
			      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return failed();
	report_errors(fd, sa.sa.sa_family, 1);
	set_ttl(fd, sa.sa.sa_family, ttl);
	if (mss)			/* later it has no effect */
		set_int(fd, IPPROTO_TCP, TCP_MAXSEG, mss);
	if ((connect(fd, &sa.sa, len) < 0 && errno != EINPROGRESS) ||
	    enrol_stream(ctx, fd, owner) < 0) {
		error = failed();
		close(fd);
		return error == -ENV_AGAIN ? -ENV_LIMIT : error;
	}
	return fd;
}

static int tcp_adopt(void *ctx, int id, struct handle owner)
{
	return enrol_stream(ctx, id, owner) < 0 ? -ENV_LIMIT : 0;
}

/* Nine probes, 75 s apart: as many and as far apart as Linux's own. */
static void tcp_keepalive(void *ctx, int id)
{
	(void)ctx;
	set_int(id, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S);
	set_int(id, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_S);
	set_int(id, IPPROTO_TCP, TCP_KEEPCNT, 9);
	set_int(id, SOL_SOCKET, SO_KEEPALIVE, 1);
}

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK	72
#endif
#ifndef SOCK_RCVBUF_LOCK
#define SOCK_RCVBUF_LOCK	2
#endif

/*
 * Linux lets a receive buffer grow to tcp_rmem's maximum, so a thousand of
 * them reach the machine's limit (tcp_mem), past which every socket of it
 * crawls. So in a crowd they stop to grow, and the window keeps to the part.
 *
 * The buffer itself is never made smaller: it has been promised to the far
 * end, whose data would be dropped, and it would wait for its timer. Before
 * Linux 5.14, which has no other way to end the growth, it is.
 */
static void tcp_crowd(void *ctx, int id, uint32_t n)
{
	const struct hostenv *he = ctx;
	const int lock = SOCK_RCVBUF_LOCK;
	uint64_t part;
	const int bytes = get_int(id, SOL_SOCKET, SO_RCVBUF);

	if (!n) {
		set_int(id, SOL_SOCKET, SO_BUF_LOCK, 0);
		set_int(id, IPPROTO_TCP, TCP_WINDOW_CLAMP, bytes / 2);
		return;
	}
	part = he->tcp_bytes / n;
	if (part < TCP_PART_LEAST)
		part = TCP_PART_LEAST;
	if (part > TCP_PART_MOST)
		part = TCP_PART_MOST;
	if ((uint64_t)bytes < part / 2 ||
	    setsockopt(id, SOL_SOCKET, SO_BUF_LOCK, &lock, sizeof(lock)) < 0)
		set_int(id, SOL_SOCKET, SO_RCVBUF, (int)part / 2);
	if ((uint64_t)get_int(id, IPPROTO_TCP, TCP_WINDOW_CLAMP) > part / 2)
		set_int(id, IPPROTO_TCP, TCP_WINDOW_CLAMP, (int)part / 2);
}

/* Retransmitted by the timer, twice, and more than a narrow path takes. */
static unsigned tcp_stalled(void *ctx, int id)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	(void)ctx;
	if (getsockopt(id, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	    !info.tcpi_unacked || info.tcpi_retransmits < STALL_RETRIES ||
	    info.tcpi_snd_mss <= STALL_MSS)
		return 0;
	return info.tcpi_retransmits;
}

/*
 * Bytes of the longest packet that the far end may think to pass. What it
 * offered itself counts too: where the path's routers lower that (MSS
 * clamping), they do so both ways.
 */
static uint32_t may_come(int id, const struct tcp_info *info)
{
	const uint32_t mss = info->tcpi_advmss < info->tcpi_snd_mss ?
			     info->tcpi_advmss : info->tcpi_snd_mss;
	const uint32_t options = info->tcpi_options & TCPI_OPT_TIMESTAMPS ?
				 TCP_STAMPS : 0;
	const bool v6 = get_int(id, SOL_SOCKET, SO_DOMAIN) == AF_INET6;
	const uint32_t bytes = mss + options + 20 + (v6 ? 40 : 20);

	return bytes < info->tcpi_pmtu ? bytes : info->tcpi_pmtu;
}

/* Is there data that is not to be read, for want of what is before it? */
static bool has_gap(int id)
{
	uint32_t mem[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(mem);
	int ready = 0;

	return getsockopt(id, SOL_SOCKET, SO_MEMINFO, mem, &len) == 0 &&
	       mem[SK_MEMINFO_RMEM_ALLOC] &&
	       ioctl(id, SIOCINQ, &ready) == 0 && !ready;
}

static uint32_t tcp_waits(void *ctx, int id, bool *gap)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	(void)ctx;
	*gap = false;
	if (getsockopt(id, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	    (info.tcpi_state != TCP_ESTABLISHED &&
	     info.tcpi_state != TCP_FIN_WAIT2) || info.tcpi_unacked ||
	    info.tcpi_last_data_recv < WAIT_MS ||
	    info.tcpi_rcv_mss > STALL_MSS)
		return 0;
	*gap = has_gap(id);
	return may_come(id, &info);
}

static int stream_connected(void *ctx, int id)
{
	struct sockaddr_any sa;
	socklen_t len = sizeof(sa);
	int error = 0;
	socklen_t error_len = sizeof(error);

	(void)ctx;
	if (getsockopt(id, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0)
		return failed();
	if (error)
		return -(int)hostenv_error(error);
	if (getpeername(id, &sa.sa, &len) < 0)
		return -ENV_AGAIN;
	report_errors(id, sa.sa.sa_family, 0);
	return 0;
}

static int64_t stream_send(void *ctx, int id, const struct span *v, unsigned n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)v,
			    .msg_iovlen = n };
	const ssize_t sent = sendmsg(id, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

	(void)ctx;
	return sent < 0 ? failed() : sent;
}

static int64_t stream_recv(void *ctx, int id, const struct span *v, unsigned n)
{
	const ssize_t got = readv(id, (const struct iovec *)(const void *)v,
				  (int)n);

	(void)ctx;
	return got < 0 ? failed() : got;
}

static uint32_t tcp_unread(void *ctx, int id)
{
	int bytes = 0;

	(void)ctx;
	return ioctl(id, SIOCINQ, &bytes) < 0 || bytes < 0 ? 0 :
							  (uint32_t)bytes;
}

/* A read ends before an urgent byte, as any does. */
static bool tcp_skip(void *ctx, int id, uint32_t bytes)
{
	(void)ctx;
	while (bytes) {
		const ssize_t n = recv(id, NULL, bytes,
				       MSG_TRUNC | MSG_DONTWAIT);

		if (n <= 0)
			return false;
		bytes -= (uint32_t)n;
	}
	return true;
}

static int tcp_send_urgent(void *ctx, int id, uint8_t byte)
{
	const ssize_t sent = send(id, &byte, 1, MSG_OOB | MSG_NOSIGNAL |
						MSG_DONTWAIT);

	(void)ctx;
	return sent < 0 ? failed() : (int)sent;
}

static bool tcp_at_urgent(void *ctx, int id)
{
	(void)ctx;
	return sockatmark(id) > 0;
}

static void stream_shut(void *ctx, int id)
{
	(void)ctx;
	shutdown(id, SHUT_WR);
}

static void stream_close(void *ctx, int id, bool reset)
{
	const struct linger now = { .l_onoff = 1 };

	(void)ctx;
	if (reset)
		(void)!setsockopt(id, SOL_SOCKET, SO_LINGER, &now,
				  sizeof(now));
	close(id);
}

/*
 * Datagrams of IPv4 that may be cut go without DF, so that routers do it: the
 * kernel's own choice would set it until it has learned the path's MTU, and
 * lose the first ones for that. Those of IPv6 are cut by their sender alone.
 */
static void allow_fragments(int fd, int family)
{
	if (family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
			IPV6_PMTUDISC_WANT);
	else
		set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
}

/* Network errors, and with each datagram what belongs to its mark. */
static void report_datagrams(int fd, int family)
{
	if (family == AF_INET6) {
		set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
		set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
		set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	} else {
		set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
		set_int(fd, IPPROTO_IP, IP_RECVTTL, 1);
		set_int(fd, IPPROTO_IP, IP_RECVTOS, 1);
	}
}

static void expect_batches(int fd)
{
	set_int(fd, SOL_UDP, UDP_GRO, 1);	/* Linux 5.0 */
	/* As much as the host lets everybody have: bursts of batches. */
	set_int(fd, SOL_SOCKET, SO_RCVBUF, UDP_QUEUE_BYTES);
}

/* A datagram socket that reports network errors; registered. */
static int dgram_open(struct hostenv *he, int family, int proto,
		      struct handle owner)
{
	const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK |
			      SOCK_CLOEXEC, proto);
	int error;

	if (fd < 0)
		return failed();
	if (family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	report_datagrams(fd, family);
	if (family == AF_INET)
		allow_fragments(fd, family);
	if (enrol(he, fd, EPOLLIN, owner) < 0) {
		error = failed();
		close(fd);
		return error;
	}
	return fd;
}

static int udp_open(void *ctx, bool v6, struct handle owner)
{
	const int fd = dgram_open(ctx, v6 ? AF_INET6 : AF_INET, IPPROTO_UDP,
				  owner);

	if (fd >= 0)
		expect_batches(fd);
	return fd;
}

/* As udp_open(), for a socket that there is: it tells what it came to. */
static int udp_adopt(void *ctx, int id, struct handle owner)
{
	struct sockaddr_any sa = { .sa.sa_family = AF_INET };
	socklen_t len = sizeof(sa);

	(void)!getsockname(id, &sa.sa, &len);
	report_datagrams(id, sa.sa.sa_family);
	allow_fragments(id, sa.sa.sa_family);
	if (sa.sa.sa_family == AF_INET6)
		set_int(id, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	else
		set_int(id, IPPROTO_IP, IP_PKTINFO, 1);
	expect_batches(id);
	return enrol(ctx, id, EPOLLIN, owner) < 0 ? -ENV_LIMIT : 0;
}

static int ping_open(void *ctx, bool v6, struct handle owner)
{
	return v6 ? dgram_open(ctx, AF_INET6, IPPROTO_ICMPV6, owner) :
		    dgram_open(ctx, AF_INET, IPPROTO_ICMP, owner);
}

static int send_message(int id, const struct endpoint *to,
			const struct env_mark *mark, const struct span *v,
			unsigned n)
{
	union mark_control control = { .room = { 0 } };
	struct sockaddr_any sa;
	struct msghdr m = {
		.msg_name = &sa, .msg_namelen = sockaddr_from(&sa, to),
		.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = n,
		.msg_controllen = mark_put(&control, ip_is4(&to->ip), mark),
	};

	if (m.msg_controllen)
		m.msg_control = &control;
	if (sendmsg(id, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	/* An error about an earlier datagram is reported once, here. */
	if (errno != EAGAIN && errno != EMSGSIZE &&
	    sendmsg(id, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	return failed();
}

/* Datagrams of a batch, each by itself. */
static int send_each(int id, const struct endpoint *to,
		     const struct env_mark *mark, const struct span *v)
{
	struct env_mark one = *mark;
	int rc = 0;

	one.segment = 0;
	for (size_t at = 0; at < v->len && !rc; at += mark->segment) {
		const size_t left = v->len - at;
		const struct span s = {
			.p = (uint8_t *)v->p + at,
			.len = left < mark->segment ? left : mark->segment,
		};

		rc = send_message(id, to, &one, &s, 1);
	}
	return rc;
}

/*
 * A batch goes to the kernel in one call, up to its limits (udp(7)). Where
 * it cannot cut them itself, or one is too big for the path, which wants
 * fragments or an error about that one, they go one by one.
 */
static int send_batch(int id, const struct endpoint *to,
		      const struct env_mark *mark, const struct span *v)
{
	const size_t most = (size_t)mark->segment * BATCH_DATAGRAMS;
	const size_t step = most < BATCH_BYTES ? most :
			    BATCH_BYTES - BATCH_BYTES % mark->segment;
	int rc = 0;

	if (mark->segment > BATCH_BYTES)
		return send_each(id, to, mark, v);
	for (size_t at = 0; at < v->len && !rc; at += step) {
		const size_t left = v->len - at;
		const struct span s = { .p = (uint8_t *)v->p + at,
					.len = left < step ? left : step };

		rc = send_message(id, to, mark, &s, 1);
		if (rc && (errno == EINVAL || errno == EIO ||
			   errno == EMSGSIZE))
			rc = send_each(id, to, mark, &s);
	}
	return rc;
}

static int dgram_send(void *ctx, int id, const struct endpoint *to,
		      const struct env_mark *mark, const struct span *v,
		      unsigned n)
{
	(void)ctx;
	ASSERT(n == 1 || !mark || !mark->segment);
	return mark && mark->segment ? send_batch(id, to, mark, v) :
				       send_message(id, to, mark, v, n);
}

static void dgram_fragment(void *ctx, int id, bool v6, bool allowed,
			   uint16_t mtu)
{
	(void)ctx;
	if (v6) {
		set_int(id, IPPROTO_IPV6, IPV6_DONTFRAG, !allowed);
		set_int(id, IPPROTO_IPV6, IPV6_MTU, mtu);
	}
	if (allowed)
		allow_fragments(id, v6 ? AF_INET6 : AF_INET);
	else if (v6)
		set_int(id, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
			IPV6_PMTUDISC_DO);
	else
		set_int(id, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
}

static int64_t dgram_recv(void *ctx, int id, struct endpoint *from,
			  struct env_mark *mark, void *buf, size_t cap)
{
	union mark_control control;
	struct sockaddr_any sa;
	struct iovec iov = { .iov_base = buf, .iov_len = cap };
	struct msghdr m = {
		.msg_name = &sa, .msg_namelen = sizeof(sa),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	const ssize_t n = recvmsg(id, &m, MSG_DONTWAIT);

	(void)ctx;
	if (n < 0)
		return failed();
	mark_get(&m, mark);
	return sockaddr_to(&sa, from) ? n : -ENV_OTHER;
}

static void read_extended_err(const struct sock_extended_err *ee,
			      struct env_net_error *out)
{
	const struct sockaddr *offender = SO_EE_OFFENDER(ee);
	struct endpoint e;

	out->offender = out->to.ip;
	if (ee->ee_origin == SO_EE_ORIGIN_LOCAL) {
		const bool v4 = ip_is4(&out->to.ip);

		/* Our own host's word, said as a router would say it. */
		out->type = v4 ? ICMP_DEST_UNREACH :
			    ee->ee_errno == EMSGSIZE ? ICMPV6_PKT_TOOBIG :
						       ICMPV6_DEST_UNREACH;
		out->code = v4 ? ee->ee_errno == EMSGSIZE ? ICMP_FRAG_NEEDED :
							    ICMP_HOST_UNREACH :
			    0;
	} else {
		out->type = ee->ee_type;
		out->code = ee->ee_code;
		if (offender->sa_family != AF_UNSPEC &&
		    sockaddr_to((const struct sockaddr_any *)
				(const void *)offender, &e))
			out->offender = e.ip;
	}
	/* EPROTO: a parameter problem, and where in the packet */
	out->mtu = ee->ee_errno == EMSGSIZE || ee->ee_errno == EPROTO ?
		   ee->ee_info : 0;
}

static bool dgram_error(void *ctx, int id, struct env_net_error *out,
			void *payload, size_t cap)
{
	_Alignas(struct cmsghdr) uint8_t control[512];
	struct sockaddr_any sa;
	struct iovec iov = { .iov_base = payload, .iov_len = cap };
	struct msghdr m = {
		.msg_name = &sa, .msg_namelen = sizeof(sa),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	const ssize_t n = recvmsg(id, &m, MSG_ERRQUEUE | MSG_DONTWAIT |
				  MSG_TRUNC);
	struct cmsghdr *c;

	(void)ctx;
	if (n < 0)
		return false;
	*out = (struct env_net_error){ .payload_bytes = (size_t)n };
	if (!sockaddr_to(&sa, &out->to))
		return true;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if ((c->cmsg_level == IPPROTO_IP &&
		     c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 &&
		     c->cmsg_type == IPV6_RECVERR))
			read_extended_err((const void *)CMSG_DATA(c), out);
	return true;
}

static bool tcp_error(void *ctx, int id, struct env_net_error *out)
{
	return dgram_error(ctx, id, out, NULL, 0);
}

/* Somebody else may have one that was adopted: no more events, even so. */
static void dgram_close(void *ctx, int id)
{
	const struct hostenv *he = ctx;

	(void)!epoll_ctl(he->epoll_fd, EPOLL_CTL_DEL, id, NULL);
	close(id);
}

static void *mem_alloc(void *ctx, size_t bytes)
{
	return pool_alloc(&((struct hostenv *)ctx)->pool, bytes);
}

static void mem_free(void *ctx, void *p, size_t bytes)
{
	pool_free(&((struct hostenv *)ctx)->pool, p, bytes);
}

static int link_send(void *ctx, unsigned link, const struct frame_meta *meta,
		     const struct span *v, unsigned n)
{
	struct hostenv *he = ctx;
	struct link *l = link < LINKS_MAX ? he->links[link] : NULL;
	const int r = l ? link_write(l, meta, v, n) : -EIO;

	(void)link;			/* there is one */
	if (meta->unread.bytes && (r == -EIO || r == -ENODATA))
		return -ENV_OTHER;	/* it may not have been copied */
	/* -EIO: the guest took its interface down. Lost, as on any wire. */
	if (r == -EIO)
		return 0;
	return r < 0 ? -ENV_AGAIN : r ? ENV_AGAIN : 0;
}

static bool link_takes_unread(void *ctx, unsigned link)
{
	const struct hostenv *he = ctx;

	return !he->no_unread && link < LINKS_MAX && he->links[link] &&
	       link_copies_unread(he->links[link]);
}

/* A kernel that knows no batches of UDP gives the guest's tap none. */
static int host_send(void *ctx, const struct frame_meta *meta,
		     const struct span *v, unsigned n)
{
	const struct hostenv *he = ctx;
	const int r = tap_write(he->host_fd, meta, v, n);

	/* -EIO: somebody took it down. */
	return r < 0 && r != -EIO ? -ENV_AGAIN : 0;
}

static bool host_listens(void *ctx, const struct endpoint *at, bool udp)
{
	const struct hostenv *he = ctx;

	return listeners_at(he->diag_fd, he->host_index, at, udp);
}

static void random_bytes(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	ASSERT(getrandom(buf, len, 0) == (ssize_t)len);
}

const struct env_ops hostenv_ops = {
	.tcp_connect = tcp_connect,
	.tcp = {
		.connected = stream_connected,
		.send = stream_send,
		.recv = stream_recv,
		.shut = stream_shut,
		.close = stream_close,
	},
	.tcp_adopt = tcp_adopt, .tcp_keepalive = tcp_keepalive,
	.tcp_crowd = tcp_crowd,
	.tcp_error = tcp_error, .tcp_stranded = hostroutes_stranded,
	.tcp_send_urgent = tcp_send_urgent, .tcp_at_urgent = tcp_at_urgent,
	.tcp_unread = tcp_unread, .tcp_skip = tcp_skip,
	.udp_open = udp_open, .udp_adopt = udp_adopt,
	.ping_open = ping_open,
	.dgram_send = dgram_send,
	.dgram_fragment = dgram_fragment,
	.dgram_recv = dgram_recv,
	.dgram_error = dgram_error,
	.dgram_close = dgram_close,
	.host_address = hostroutes_address, .route = hostroutes_kind,
	.path = hostroutes_path, .tcp_moved = hostroutes_moved,
	.tcp_stalled = tcp_stalled, .tcp_waits = tcp_waits,
	.mem_alloc = mem_alloc,
	.mem_free = mem_free,
	.link_send = link_send, .link_takes_unread = link_takes_unread,
	.host_send = host_send, .host_listens = host_listens,
	.random = random_bytes,
};
