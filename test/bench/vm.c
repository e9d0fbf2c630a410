/* SPDX-License-Identifier: MIT */
/*
 * vm.c - a virtual machine that is none, at the socket of `slipway serve`
 *
 *	vm vhost-user|qemu SOCK OWN GATEWAY up|down|rr ADDRESS PORT SECONDS
 *
 * What a guest's kernel and its virtio driver do, and nothing else: one TCP
 * connection, its data in pages that go over the queues as they are, with all
 * offloads (vhost-user) or as frames of the MTU (qemu). Applications copy
 * their data in and out; so does this. Emulation would hide the network.
 *
 * A link that loses nothing is expected: of what is sent nothing is repeated.
 */
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "driver/driver.h"

#define MEM_BYTES	(8u << 20)
#define USER		UINT64_C(0x7f0000000000)
#define RX_AT		0u
#define TX_AT		DRIVER_AREA_BYTES
#define HEADS_AT	(2 * DRIVER_AREA_BYTES)	/* a slot for each frame sent */
#define HEAD_BYTES	2048u			/* header, its table after it */
#define TABLE_IN_HEAD	1024u
#define RX_PAGES_AT	(1u << 20)
#define TX_PAGES_AT	(4u << 20)
#define PAGE		4096u
#define RING		256u
#define MSS_ETHERNET	1460u
#define GSO_BYTES	(44u * MSS_ETHERNET)
#define WINDOW_SHIFT	8
#define LATENCIES_MAX	(1u << 22)
#define HEADERS		54u		/* Ethernet, IPv4, TCP */

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static uint8_t user[1 << 20];		/* what an application has */

/* ---- the link ---- */

static struct {
	int sock, is_vhost, kick[2], call[2];
	uint8_t *mem;
	struct driver_ring rx, tx;
	uint32_t sent, page;	/* frames; the next buffer */
	uint8_t in[1 << 18], out[1 << 17];	/* of a stream */
	size_t in_at, in_len;
} l;

static void say(uint32_t request, const void *payload, size_t len, int fd)
{
	const uint32_t head[3] = { request, 1, (uint32_t)len };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov[2] = { { (void *)(uintptr_t)head, sizeof(head) },
				{ (void *)(uintptr_t)payload, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	must(sendmsg(l.sock, &m, 0), "sendmsg");
}

static void offer_page(void)
{
	const struct driver_piece p = {
		.at = RX_PAGES_AT + l.page++ % RING * PAGE, .len = PAGE,
		.write = true,
	};

	if (!driver_add(&l.rx, &p, 1, NULL, 0))
		fail("no room for a buffer");
}

static void kick(struct driver_ring *r, unsigned i)
{
	driver_publish(r);
	if (driver_wants_kick(r))
		must(eventfd_write(l.kick[i], 1), "kick");
}

static void start_queue(uint32_t i)
{
	const uint64_t at = USER + (i ? TX_AT : RX_AT), which = i;
	const uint32_t num[2] = { i, RING }, base[2] = { i, 0 },
		       on[2] = { i, 1 };
	const struct {
		uint32_t queue, flags;
		uint64_t desc, used, avail, log;
	} addr = { i, 0, at, at + DEVICE_AT, at + DRIVER_AT, 0 };

	l.kick[i] = (int)must(eventfd(0, EFD_NONBLOCK), "eventfd");
	l.call[i] = (int)must(eventfd(0, EFD_NONBLOCK), "eventfd");
	say(8, num, 8, -1);
	say(10, base, 8, -1);
	say(9, &addr, 40, -1);
	say(13, &which, 8, l.call[i]);
	say(12, &which, 8, l.kick[i]);
	say(18, on, 8, -1);
}

static void begin_vhost(void)
{
	/* VERSION_1, PROTOCOL, EVENT_IDX, INDIRECT, MRG_RXBUF, offloads */
	const uint64_t features = 1ull << 32 | 1ull << 30 | 1ull << 29 |
		1ull << 28 | 1ull << 15 | 1ull << 11 | 1ull << 7 | 3;
	const struct {
		uint32_t n, none;
		uint64_t guest, bytes, user_at, offset;
	} table = { 1, 0, 0, MEM_BYTES, USER, 0 };
	const int fd = (int)must(memfd_create("guest", 0), "memfd");

	must(ftruncate(fd, MEM_BYTES), "ftruncate");
	l.mem = mmap(NULL, MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     0);
	if (l.mem == MAP_FAILED)
		fail("mmap");
	driver_init(&l.rx, l.mem + RX_AT, RX_AT, RING, false, true);
	driver_init(&l.tx, l.mem + TX_AT, TX_AT, RING, false, true);
	say(2, &features, 8, -1);
	say(5, &table, 40, fd);
	start_queue(0);
	start_queue(1);
	while (l.rx.free)
		offer_page();
	kick(&l.rx, 0);
}

static void begin(const char *kind, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	l.is_vhost = !strcmp(kind, "vhost-user");
	l.sock = (int)must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	must(connect(l.sock, (const void *)&a, sizeof(a)), "connect");
	if (l.is_vhost)
		begin_vhost();
}

/* Is there room for one more frame? */
static int may_send(void)
{
	uint32_t written;

	if (!l.is_vhost)
		return 1;
	while (driver_used(&l.tx, &written))
		;
	return l.tx.free > 0;
}

static void send_vhost(const uint8_t *head, size_t head_len, size_t data)
{
	const uint32_t slot = HEADS_AT + l.sent % RING * HEAD_BYTES;
	const uint32_t pages = TX_PAGES_AT + l.sent % 32 * (16 * PAGE + PAGE);
	struct driver_piece p[18] = {
		{ .at = slot, .len = (uint32_t)(12 + head_len) },
	};
	struct virtio_net_hdr_v1 h = { 0 };
	unsigned n = 1;

	if (head[23] == 6) {
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = 34;
		h.csum_offset = 16;
	}
	if (data > MSS_ETHERNET) {
		h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		h.gso_size = MSS_ETHERNET;
		h.hdr_len = HEADERS;
	}
	memcpy(l.mem + slot, &h, 12);
	memcpy(l.mem + slot + 12, head, head_len);
	memcpy(l.mem + pages, user, data);	/* the application's write() */
	for (size_t at = 0; at < data; at += PAGE)
		p[n++] = (struct driver_piece){
			.at = pages + at,
			.len = (uint32_t)(data - at < PAGE ? data - at : PAGE),
		};
	if (!driver_add(&l.tx, p, n, l.mem + slot + TABLE_IN_HEAD,
			slot + TABLE_IN_HEAD))
		fail("no room to send");
	l.sent++;
	kick(&l.tx, 1);
}

static void send_frame(const uint8_t *head, size_t head_len, size_t data)
{
	const uint32_t len = htonl((uint32_t)(head_len + data));
	const size_t all = 4 + head_len + data;
	size_t at = 0;

	if (l.is_vhost) {
		send_vhost(head, head_len, data);
		return;
	}
	memcpy(l.out, &len, 4);
	memcpy(l.out + 4, head, head_len);
	memcpy(l.out + 4 + head_len, user, data);
	while (at < all)
		at += (size_t)must(send(l.sock, l.out + at, all - at,
					MSG_NOSIGNAL), "send");
}

/* Wait until the other end has something to say, or ms have passed. */
static void await(int room, int ms)
{
	struct pollfd p[2] = { { .fd = l.sock, .events = POLLIN } };
	uint64_t n;

	if (!l.is_vhost) {
		poll(p, 1, ms);
		return;
	}
	p[0].fd = l.call[0];
	p[1] = (struct pollfd){ .fd = l.call[1], .events = POLLIN };
	if (driver_ask(&l.rx, true) || (room && driver_ask(&l.tx, true)))
		return;
	poll(p, 2, ms);
	for (int i = 0; i < 2; i++)
		if (p[i].revents)
			(void)!read(l.call[i], &n, sizeof(n));
	(void)driver_ask(&l.rx, false);
}

/* The next frame, its first bytes in head; the data as an application's. */
static size_t take_vhost(uint8_t *head, size_t cap)
{
	uint32_t written;
	const uint8_t *page;
	size_t len, done;
	unsigned n;

	if (!driver_used(&l.rx, &written))
		return 0;
	page = l.mem + RX_PAGES_AT + (l.page - l.rx.size) % RING * PAGE;
	n = page[10] | (unsigned)page[11] << 8;
	len = written - 12;
	memcpy(head, page + 12, len < cap ? len : cap);
	memcpy(user, page + 12, len);
	offer_page();
	for (done = len; --n; done += written) {
		if (!driver_used(&l.rx, &written))
			fail("half a frame");
		page = l.mem + RX_PAGES_AT +
		       (l.page - l.rx.size) % RING * PAGE;
		memcpy(user + done, page, written);
		offer_page();
	}
	return done;
}

static size_t take_stream(uint8_t *head, size_t cap)
{
	uint32_t len = 0;

	for (;;) {
		ssize_t n;

		if (l.in_len - l.in_at >= 4) {
			memcpy(&len, l.in + l.in_at, 4);
			len = ntohl(len);
			if (l.in_len - l.in_at >= 4 + len)
				break;
		}
		memmove(l.in, l.in + l.in_at, l.in_len - l.in_at);
		l.in_len -= l.in_at;
		l.in_at = 0;
		n = recv(l.sock, l.in + l.in_len, sizeof(l.in) - l.in_len,
			 MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (must(n, "recv") == 0)
			fail("slipway has gone");
		l.in_len += (size_t)n;
	}
	memcpy(head, l.in + l.in_at + 4, len < cap ? len : cap);
	memcpy(user, l.in + l.in_at + 4, len);
	l.in_at += 4 + len;
	return len;
}

static size_t take_frame(uint8_t *head, size_t cap)
{
	return l.is_vhost ? take_vhost(head, cap) : take_stream(head, cap);
}

/* ---- one connection ---- */

static struct {
	uint8_t mac[6], gateway_mac[6], own[4], gateway[4], to[4];
	uint16_t port;
	uint32_t next, una, window, rcv;	/* of RFC 9293 */
	unsigned shift;
	uint64_t got, data;		/* bytes in; in the last segment */
	int up, synced, ack_owed;
} c = { .mac = { 2, 0, 0, 0, 0, 1 }, .next = 1000, .una = 1000 };

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static uint32_t sum(uint32_t s, const uint8_t *p, size_t n)
{
	uint64_t wide = 0;

	/* Four bytes at a time, in memory order, for what is long. */
	for (; n >= 64; p += 4, n -= 4) {
		uint32_t v;

		memcpy(&v, p, 4);
		wide += v;
	}
	wide = (wide & 0xffffffff) + (wide >> 32);
	wide = (wide & 0xffff) + (wide >> 16 & 0xffff) + (wide >> 32);
	s += ntohs(fold((uint32_t)wide));
	for (; n > 1; p += 2, n -= 2)
		s += (uint32_t)(p[0] << 8 | p[1]);
	return n ? s + (uint32_t)(p[0] << 8) : s;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static void segment(uint8_t flags, size_t data)
{
	const size_t options = flags & SYN ? 8 : 0;
	const size_t l4 = 20 + options + data;
	uint8_t f[HEADERS + 8] = { 0 }, *tcp = f + 34;
	uint32_t s;

	memcpy(f, c.gateway_mac, 6);
	memcpy(f + 6, c.mac, 6);
	put16(f + 12, 0x0800);
	f[14] = 0x45;
	put16(f + 16, (uint32_t)(20 + l4));
	f[20] = 0x40;
	f[22] = 64;
	f[23] = 6;
	memcpy(f + 26, c.own, 4);
	memcpy(f + 30, c.to, 4);
	put16(f + 24, (uint16_t)~fold(sum(0, f + 14, 20)));
	put16(tcp, 1024 + (uint32_t)getpid() % 60000);
	put16(tcp + 2, c.port);
	put32(tcp + 4, c.next);
	put32(tcp + 8, flags & ACK ? c.rcv : 0);
	tcp[12] = (uint8_t)((20 + options) / 4 << 4);
	tcp[13] = flags;
	put16(tcp + 14, flags & SYN ? 0xffff : (3u << 20) >> WINDOW_SHIFT);
	if (options) {
		put16(tcp + 20, 2 << 8 | 4);
		put16(tcp + 22, l.is_vhost ? MSS_ETHERNET : 65480);
		put32(tcp + 24, 1 << 24 | 3 << 16 | 3 << 8 | WINDOW_SHIFT);
	}
	s = sum(sum(6 + (uint32_t)l4, c.own, 4), c.to, 4);
	if (!l.is_vhost)
		s = sum(sum(s, tcp, 20 + options), user, data);
	put16(tcp + 16, l.is_vhost ? fold(s) : (uint16_t)~fold(s));
	send_frame(f, HEADERS + options, data);
	c.next += (uint32_t)data + !!(flags & SYN);
	c.ack_owed = 0;
}

/* A frame came: of ours, or nothing. */
static void take_segment(const uint8_t *f, size_t len)
{
	const uint8_t *tcp = f + 34;
	const size_t head = (size_t)(tcp[12] >> 4) * 4;
	const size_t data = (size_t)(f[16] << 8 | f[17]) - 20 - head;
	const uint8_t flags = tcp[13];

	if (len < HEADERS || f[12] != 8 || f[13] || f[23] != 6)
		return;
	if (flags & RST) {
		errno = ECONNRESET;
		fail("the connection");
	}
	if (flags & SYN) {
		c.rcv = get32(tcp + 4) + 1;
		c.synced = 1;
		for (size_t i = 20; i + 2 < head; i += tcp[i] < 2 ? 1 :
		     tcp[i + 1] ? tcp[i + 1] : 1)
			if (tcp[i] == 3)
				c.shift = tcp[i + 2];
	}
	c.una = get32(tcp + 8);
	c.window = (uint32_t)(tcp[14] << 8 | tcp[15]) <<
		   (flags & SYN ? 0 : c.shift);
	if (!data)
		return;
	c.ack_owed = 1;
	if (get32(tcp + 4) != c.rcv)
		return;
	c.rcv += (uint32_t)data;
	c.got += data;
}

/* All frames that are there. */
static void take_all(void)
{
	uint8_t head[128] = { 0 };
	size_t len;

	while ((len = take_frame(head, sizeof(head)))) {
		take_segment(head, len);
		if (c.ack_owed > 0 && may_send() && !c.up)
			segment(ACK, 0);
	}
	if (l.is_vhost)
		kick(&l.rx, 0);
}

static void find_gateway(void)
{
	uint8_t f[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint8_t head[128];
	size_t len;

	memcpy(f + 6, c.mac, 6);
	put32(f + 12, 0x08060001);
	put32(f + 16, 0x08000604);
	put16(f + 20, 1);
	memcpy(f + 22, c.mac, 6);
	memcpy(f + 28, c.own, 4);
	memcpy(f + 38, c.gateway, 4);
	send_frame(f, sizeof(f), 0);
	for (;;) {
		len = take_frame(head, sizeof(head));
		if (len >= 42 && head[12] == 8 && head[13] == 6 &&
		    head[21] == 2)
			break;
		if (!len)
			await(0, 100);
	}
	memcpy(c.gateway_mac, head + 22, 6);
	if (l.is_vhost)
		kick(&l.rx, 0);
}

static void connect_to(void)
{
	find_gateway();
	segment(SYN, 0);
	while (!c.synced) {
		await(0, 100);
		take_all();
	}
	segment(ACK, 0);
}

static size_t most(void)
{
	const uint32_t flight = c.next - c.una;
	const size_t room = c.window > flight ? c.window - flight : 0;
	const size_t frame = l.is_vhost ? GSO_BYTES : 65480;

	return room < frame ? room : frame;
}

/* Send for so long, as much as may be in flight: bytes acknowledged. */
static uint64_t send_bulk(uint64_t until)
{
	uint64_t acked = 0;
	uint32_t una = c.una;

	do {
		size_t n = most();

		while (n >= MSS_ETHERNET * 8 && may_send()) {
			segment(ACK | PSH, n);
			n = most();
		}
		await(n >= MSS_ETHERNET * 8, 100);
		take_all();
		acked += c.una - una;
		una = c.una;
	} while (clock_ns() < until);
	return acked;
}

static uint64_t receive_bulk(uint64_t until)
{
	const uint64_t before = c.got;

	while (clock_ns() < until) {
		await(0, 100);
		take_all();
	}
	return c.got - before;
}

static void bulk(int up, double seconds)
{
	const uint64_t ns = (uint64_t)(seconds * 1e9);
	uint64_t (*const run)(uint64_t) = up ? send_bulk : receive_bulk;
	uint64_t start, bytes;

	user[0] = up ? 'u' : 'd';
	c.up = up;
	segment(ACK | PSH, 1);
	(void)run(clock_ns() + ns / 4);		/* until windows have opened */
	start = clock_ns();
	bytes = run(start + ns);
	printf("gbit_s %.3f\n", (double)bytes * 8 /
	       (double)(clock_ns() - start));
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void request_response(double seconds)
{
	uint64_t *ns = malloc(LATENCIES_MAX * sizeof(*ns));
	const uint64_t end = clock_ns() + (uint64_t)(seconds * 1e9);
	uint64_t now = clock_ns();
	size_t n = 0;

	if (!ns)
		fail("malloc");
	c.up = 1;				/* ACKs go with the next one */
	while (now < end && n < LATENCIES_MAX) {
		const uint64_t start = now, got = c.got;

		segment(ACK | PSH, 1);
		do {
			await(0, 100);
			take_all();
		} while (c.got == got);
		while (!may_send())
			;
		now = clock_ns();
		ns[n++] = now - start;
	}
	qsort(ns, n, sizeof(*ns), by_value);
	printf("per_s %.1f p50_us %.2f p99_us %.2f n %zu\n",
	       (double)n / seconds, (double)ns[n / 2] / 1e3,
	       (double)ns[n * 99 / 100] / 1e3, n);
}

int main(int argc, char **argv)
{
	if (argc != 9 || inet_pton(AF_INET, argv[3], c.own) != 1 ||
	    inet_pton(AF_INET, argv[4], c.gateway) != 1 ||
	    inet_pton(AF_INET, argv[6], c.to) != 1) {
		fprintf(stderr, "usage: vm vhost-user|qemu SOCK OWN GATEWAY "
			"up|down|rr ADDRESS PORT SECONDS\n");
		return 2;
	}
	c.port = (uint16_t)atoi(argv[7]);
	begin(argv[1], argv[2]);
	connect_to();
	if (!strcmp(argv[5], "rr"))
		request_response(atof(argv[8]));
	else
		bulk(!strcmp(argv[5], "up"), atof(argv[8]));
	segment(RST | ACK, 0);
	return 0;
}
