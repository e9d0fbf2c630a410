/* SPDX-License-Identifier: MIT */
/*
 * test/unit/linux_vhost.c - frames by vhost-user, with a machine of our own:
 * its memory a file, its messages written by hand
 */
#include "linux/vhost.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/driver.h"
#include "test.h"

#define MEM_BYTES	(1u << 20)
#define USER		0x7f0000000000u
#define RX_AT		0u
#define TX_AT		DRIVER_AREA_BYTES
#define DATA_AT		(2 * DRIVER_AREA_BYTES)
#define BIT(n)		(UINT64_C(1) << (n))
#define MODERN		(BIT(VHOST_VERSION_1) | BIT(VHOST_PROTOCOL))
#define SIZE		64u

struct machine {
	struct vhost *v;
	int fd, mem_fd, epoll_fd, kick[2], call[2];
	uint8_t *mem;
	struct driver_ring rx, tx;
	unsigned logged;
	char last[200];
};

static void note(void *ctx, enum log_level level, const char *text)
{
	struct machine *m = ctx;

	(void)level;
	m->logged++;
	snprintf(m->last, sizeof(m->last), "%s", text);
}

static void say(struct machine *m, uint32_t request, const void *payload,
		size_t len, int fd)
{
	const uint32_t head[3] = { request, 1, (uint32_t)len };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov[2] = { { (void *)(uintptr_t)head, sizeof(head) },
				{ (void *)(uintptr_t)payload, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	if (fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	CHECK("said", sendmsg(m->fd, &msg, 0) ==
		      (ssize_t)(sizeof(head) + len));
}

static bool hears(struct machine *m, uint32_t request, const void *payload,
		  size_t len, int fd)
{
	say(m, request, payload, len, fd);
	return vhost_event(m->v);
}

static void start_queue(struct machine *m, uint32_t i)
{
	const uint64_t at = USER + (i ? TX_AT : RX_AT);
	const uint32_t num[2] = { i, SIZE }, base[2] = { i, 0 },
		       on[2] = { i, 1 };
	const uint64_t which = i;
	struct {
		uint32_t queue, flags;
		uint64_t desc, used, avail, log;
	} addr = { i, 0, at, at + DEVICE_AT, at + DRIVER_AT, 0 };

	CHECK("num", hears(m, VHOST_SET_VRING_NUM, num, 8, -1));
	CHECK("base", hears(m, VHOST_SET_VRING_BASE, base, 8, -1));
	CHECK("addr", hears(m, VHOST_SET_VRING_ADDR, &addr, 40, -1));
	CHECK("call", hears(m, VHOST_SET_VRING_CALL, &which, 8, m->call[i]));
	CHECK("kick", hears(m, VHOST_SET_VRING_KICK, &which, 8, m->kick[i]));
	CHECK("enable", hears(m, VHOST_SET_VRING_ENABLE, on, 8, -1));
}

static struct machine *plug(uint64_t features)
{
	struct machine *m = calloc(1, sizeof(*m));
	const struct {
		uint32_t n, none;
		uint64_t guest, bytes, user, offset;
	} table = { 1, 0, 0, MEM_BYTES, USER, 0 };
	int pair[2];

	if (!m || !(m->v = calloc(1, sizeof(*m->v))))
		abort();
	m->mem_fd = memfd_create("guest", MFD_CLOEXEC);
	m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	CHECK("file", ftruncate(m->mem_fd, MEM_BYTES) == 0);
	m->mem = mmap(NULL, MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		      m->mem_fd, 0);
	CHECK("pair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
				 pair) == 0);
	for (unsigned i = 0; i < 2; i++) {
		m->kick[i] = eventfd(0, EFD_NONBLOCK);
		m->call[i] = eventfd(0, EFD_NONBLOCK);
	}
	m->fd = pair[0];
	m->v->epoll_fd = m->epoll_fd;
	m->v->mtu = 1500;
	m->v->log = (struct log_sink){ .write = note, .ctx = m };
	driver_init(&m->rx, m->mem + RX_AT, RX_AT, SIZE, false, false);
	driver_init(&m->tx, m->mem + TX_AT, TX_AT, SIZE, false, false);
	vhost_init(m->v);
	vhost_begin(m->v, pair[1]);
	CHECK("features", hears(m, VHOST_SET_FEATURES, &features, 8, -1));
	CHECK("memory", hears(m, VHOST_SET_MEM_TABLE, &table, 40,
			      m->mem_fd));
	start_queue(m, 0);
	start_queue(m, 1);
	CHECK("no word", m->logged == 0);
	return m;
}

static void unplug(struct machine *m)
{
	const int peer = m->v->fd;

	vhost_end(m->v);
	for (unsigned i = 0; i < VHOST_QUEUES; i++)
		CHECK("closed", m->v->queue[i].kick_fd < 0);
	close(peer);
	close(m->fd);
	close(m->mem_fd);
	close(m->epoll_fd);
	for (unsigned i = 0; i < 2; i++) {
		close(m->kick[i]);
		close(m->call[i]);
	}
	munmap(m->mem, MEM_BYTES);
	free(m->v);
	free(m);
}

/* Buffers for what comes, each of len bytes, one behind the other. */
static void offer(struct machine *m, unsigned n, uint32_t len)
{
	for (unsigned i = 0; i < n; i++) {
		const struct driver_piece p = { DATA_AT + i * len, len, true };

		CHECK("room", driver_add(&m->rx, &p, 1, NULL, 0));
	}
	driver_publish(&m->rx);
}

/* A TCP frame of so many bytes of data, its data a pattern. */
static const struct frame_meta tcp_meta = {
	.needs_csum = true, .gso = FRAME_GSO_TCP4, .gso_size = 500,
	.hdr_len = 54, .csum_start = 34, .csum_offset = 16,
};

static size_t make_tcp(uint8_t *frame, size_t data)
{
	static const uint8_t head[54] = {
		[12] = 8, [14] = 0x45, [22] = 64, [23] = 6, [46] = 0x50,
	};

	memcpy(frame, head, sizeof(head));
	frame[16] = (uint8_t)((40 + data) >> 8);
	frame[17] = (uint8_t)(40 + data);
	for (size_t i = 0; i < data; i++)
		frame[54 + i] = (uint8_t)(i * 7 + i / 256);
	return sizeof(head) + data;
}

/* The last `unread` bytes of it are in a socket, and stay there. */
static int send_unread(struct machine *m, size_t data, size_t unread)
{
	static uint8_t frame[4096];
	const size_t near = make_tcp(frame, data) - unread;
	const struct span v[2] = { { frame, 30 }, { frame + 30, near - 30 } };
	struct frame_meta meta = tcp_meta;
	int pair[2], rc;

	CHECK("socket", socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK("filled", write(pair[0], frame, 5) == 5 &&
	      write(pair[0], frame + near, unread) == (ssize_t)unread);
	meta.unread = (struct frame_unread){
		.id = pair[1], .seek = true, .at = 5,
		.bytes = (uint32_t)unread,
	};
	rc = vhost_write(m->v, &meta, v, 2);
	vhost_flush(m->v);
	CHECK("left there", recv(pair[1], frame, sizeof(frame),
				 MSG_DONTWAIT) == (ssize_t)(5 + unread));
	close(pair[0]);
	close(pair[1]);
	return rc;
}

static int send_tcp(struct machine *m, size_t data)
{
	return send_unread(m, data, 0);
}

static bool called(const struct machine *m, unsigned i)
{
	uint64_t n;

	return read(m->call[i], &n, sizeof(n)) == sizeof(n);
}

/* Over as many buffers as it takes, all of which appear at once. */
static void check_merge(size_t unread)
{
	struct machine *m = plug(MODERN | BIT(VIRTIO_NET_F_MRG_RXBUF) |
				 BIT(VIRTIO_NET_F_GUEST_CSUM) |
				 BIT(VIRTIO_NET_F_GUEST_TSO4));
	static uint8_t want[4096];
	const size_t len = 12 + make_tcp(want, 1000);
	struct virtio_net_hdr_v1 h;
	uint32_t written, all = 0;
	unsigned n = 0;

	offer(m, 10, 100);
	CHECK("no room: kept", send_unread(m, 1000, unread) == 1);
	CHECK("full", send_unread(m, 1000, unread) == -EAGAIN);
	CHECK("still", !vhost_push(m->v));
	CHECK("not told", !called(m, 0));
	CHECK("none used", !driver_used(&m->rx, &written));
	CHECK("tells", driver_wants_kick(&m->rx));
	for (unsigned i = 10; i < 12; i++) {
		const struct driver_piece p = { DATA_AT + i * 100, 100, true };

		CHECK("room", driver_add(&m->rx, &p, 1, NULL, 0));
	}
	driver_publish(&m->rx);
	CHECK("sent", vhost_push(m->v));
	vhost_flush(m->v);
	CHECK("told", called(m, 0));
	CHECK("once", vhost_push(m->v));
	while (driver_used(&m->rx, &written)) {
		all += written;
		n++;
	}
	memcpy(&h, m->mem + DATA_AT, sizeof(h));
	CHECK("buffers", n == 11 && h.num_buffers == 11 && all == len);
	CHECK("offloads", h.gso_type == VIRTIO_NET_HDR_GSO_TCPV4 &&
			  h.gso_size == 500 && h.csum_start == 34 &&
			  h.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CHECK("bytes", !memcmp(m->mem + DATA_AT + 12, want, len - 12));
	CHECK("not more", !m->mem[DATA_AT + len]);
	unplug(m);
}

/* Straight to where it belongs, or not at all. */
static void check_unread(void)
{
	struct machine *m = plug(MODERN | BIT(VIRTIO_NET_F_MRG_RXBUF) |
				 BIT(VIRTIO_NET_F_GUEST_CSUM) |
				 BIT(VIRTIO_NET_F_GUEST_TSO4));
	struct frame_meta meta = tcp_meta;
	struct span head;
	static uint8_t want[4096];
	const size_t len = 12 + make_tcp(want, 1000);
	uint32_t written, all = 0;

	offer(m, 20, 100);
	head = (struct span){ .p = want, .len = 54 };
	meta.unread = (struct frame_unread){ .id = -1, .bytes = 1000 };
	CHECK("not there", vhost_write(m->v, &meta, &head, 1) == -ENODATA);
	vhost_flush(m->v);
	CHECK("none used", !driver_used(&m->rx, &written) && !called(m, 0));
	CHECK("sent", send_unread(m, 1000, 1000) == 0);
	while (driver_used(&m->rx, &written))
		all += written;
	CHECK("all", all == len);
	CHECK("bytes", !memcmp(m->mem + DATA_AT + 12, want, len - 12));
	CHECK("not more", !m->mem[DATA_AT + len]);
	CHECK("best so", vhost_copies_unread(m->v));
	unplug(m);
	m = plug(MODERN);
	offer(m, 20, 1500);
	CHECK("not so", !vhost_copies_unread(m->v));
	CHECK("nor cut", send_unread(m, 1000, 900) == -ENODATA);
	CHECK("none used", !driver_used(&m->rx, &written));
	unplug(m);
}

/* A ring that will never do: nobody waits for it. */
static void check_small(void)
{
	struct machine *m = plug(MODERN | BIT(VIRTIO_NET_F_MRG_RXBUF) |
				 BIT(VIRTIO_NET_F_GUEST_CSUM) |
				 BIT(VIRTIO_NET_F_GUEST_TSO4));

	offer(m, m->rx.size, 1 + 1000u / (2u * m->rx.size));
	CHECK("lost", send_tcp(m, 1000) == -EIO);
	CHECK("not kept", vhost_push(m->v));
	unplug(m);
}

/* Of a batch that is cut some may go at once, the rest later. */
static void check_cut_kept(void)
{
	struct machine *m = plug(MODERN);
	const struct driver_piece more = { DATA_AT + 600, 600, true };
	uint32_t written;

	offer(m, 1, 600);
	CHECK("kept", send_tcp(m, 1000) == 1);
	CHECK("the first", driver_used(&m->rx, &written));
	CHECK("alone", !driver_used(&m->rx, &written));
	CHECK("room", driver_add(&m->rx, &more, 1, NULL, 0));
	driver_publish(&m->rx);
	CHECK("sent", vhost_push(m->v));
	vhost_flush(m->v);
	CHECK("the second", driver_used(&m->rx, &written));
	CHECK("its own bytes", m->mem[DATA_AT + 600 + 12 + 54] ==
			       (uint8_t)(500 * 7 + 500 / 256));
	CHECK("no third", !driver_used(&m->rx, &written));
	unplug(m);
}

/* What waited for one guest is not the next one's. */
static void check_kept_end(void)
{
	struct machine *m = plug(MODERN | BIT(VIRTIO_NET_F_MRG_RXBUF) |
				 BIT(VIRTIO_NET_F_GUEST_CSUM) |
				 BIT(VIRTIO_NET_F_GUEST_TSO4));

	CHECK("kept", send_tcp(m, 1000) == 1 && !vhost_push(m->v));
	vhost_end(m->v);
	CHECK("gone", vhost_push(m->v));
	unplug(m);
}

/* A driver that takes no batches gets frames, each in one buffer. */
static void check_cut(void)
{
	struct machine *m = plug(MODERN);
	uint32_t written;

	offer(m, 4, 500);
	CHECK("too small", send_tcp(m, 1000) == -EIO);
	CHECK("none used", !driver_used(&m->rx, &written));
	unplug(m);
	m = plug(MODERN);
	offer(m, 4, 600);
	CHECK("two", send_tcp(m, 1000) == 0);
	for (unsigned i = 0; i < 2; i++) {
		CHECK("used", driver_used(&m->rx, &written));
		CHECK("bytes", written == 12 + 54 + 500);
		CHECK("plain", !m->mem[DATA_AT + i * 600 + 1] &&
			       m->mem[DATA_AT + i * 600 + 10] == 1);
	}
	CHECK("no third", !driver_used(&m->rx, &written));
	unplug(m);
}

/* A frame of the guest's, its header and so on cut into pieces of `cut`. */
static ssize_t receive(struct machine *m, const uint8_t *frame, size_t len,
		       size_t head, bool csum, uint32_t cut,
		       struct frame_meta *meta, const uint8_t **got)
{
	const struct virtio_net_hdr_v1 h = {
		.flags = csum ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
		.csum_start = 34, .csum_offset = 16,
	};
	struct driver_piece p[SIZE];
	uint32_t at = 0;
	unsigned n = 0;

	memcpy(m->mem + DATA_AT, &h, head);
	memcpy(m->mem + DATA_AT + head, frame, len);
	for (len += head; at < len; at += p[n++].len)
		p[n] = (struct driver_piece){
			.at = DATA_AT + at,
			.len = len - at < cut ? (uint32_t)len - at : cut,
		};
	CHECK("room", driver_add(&m->tx, p, n, NULL, 0));
	driver_publish(&m->tx);
	return vhost_read(m->v, meta, got);
}

/* The data of long TCP frames is lent, all else copied. */
static void check_lent(void)
{
	static const struct {
		const char *name;
		size_t data;
		uint8_t proto;
		bool csum, whole, lent;
		uint32_t cut;
	} cases[] = {
		{ "long", 3000, 6, true, false, true, 100 },
		{ "in one piece", 3000, 6, true, false, true, 5000 },
		{ "short", 1000, 6, true, false, false, 100 },
		{ "many pieces", 3000, 6, true, false, false, 50 },
		{ "UDP", 3000, 17, true, false, false, 100 },
		{ "with its sum", 3000, 6, false, false, false, 100 },
		{ "whole", 3000, 6, true, true, false, 100 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine *m = plug(MODERN | BIT(VIRTIO_NET_F_CSUM));
		static uint8_t frame[4096], got[4096];
		size_t len = make_tcp(frame, cases[i].data), at;
		struct frame_meta meta;
		const uint8_t *p = NULL;
		uint32_t written;
		ssize_t n;

		frame[23] = cases[i].proto;
		m->v->whole = cases[i].whole;
		n = receive(m, frame, len, 12, cases[i].csum, cases[i].cut,
			    &meta, &p);
		CHECK(cases[i].name, n > 0 && !!meta.far == cases[i].lent);
		memcpy(got, p, (size_t)n);
		at = (size_t)n;
		for (unsigned k = 0; at < (size_t)n + meta.far_bytes; k++) {
			CHECK(cases[i].name, k < SCATTER_FAR_MAX);
			memcpy(got + at, meta.far[k].p, meta.far[k].len);
			at += meta.far[k].len;
		}
		CHECK(cases[i].name, at == len && !memcmp(got, frame, len));
		CHECK("lent", !driver_used(&m->tx, &written));
		vhost_flush(m->v);
		CHECK("back", driver_used(&m->tx, &written) && !written);
		CHECK("told", called(m, 1));
		CHECK("no more", vhost_read(m->v, &meta, &p) == -EAGAIN);
		CHECK("asked", driver_ask(&m->tx, false) == false);
		unplug(m);
	}
}

/* What makes no sense is given back, and the next one comes. */
static void check_odd(void)
{
	struct machine *m = plug(0);		/* old: a header of 10 bytes */
	static uint8_t frame[80000];
	struct frame_meta meta;
	const uint8_t *p;
	const size_t len = make_tcp(frame, 100);

	CHECK("short", receive(m, frame, 13, 10, false, 500, &meta, &p) == 0);
	CHECK("long", receive(m, frame, FRAME_MAX_BYTES + 1, 10, false,
			      70000, &meta, &p) == 0);
	CHECK("longest", receive(m, frame, FRAME_MAX_BYTES, 10, false, 70000,
				 &meta, &p) == FRAME_MAX_BYTES);
	CHECK("old", receive(m, frame, len, 10, true, 500, &meta, &p) ==
		     (ssize_t)len);
	CHECK("not agreed", !meta.needs_csum);
	CHECK("bytes", !memcmp(p, frame, len));
	CHECK("quiet", !m->logged);
	unplug(m);
}

/* A broken queue is told of once, and the other one goes on. */
static void check_broken(void)
{
	struct machine *m = plug(MODERN);
	const struct driver_piece bad = { MEM_BYTES, 100, false };
	const uint32_t state[2] = { 1, 0 };
	uint32_t answer[5];
	struct frame_meta meta;
	const uint8_t *p;

	CHECK("room", driver_add(&m->tx, &bad, 1, NULL, 0));
	driver_publish(&m->tx);
	for (unsigned i = 0; i < 3; i++)
		CHECK("nothing", vhost_read(m->v, &meta, &p) == -EAGAIN);
	CHECK("once", m->logged == 1 && strstr(m->last, "outside"));
	offer(m, 1, 2000);
	CHECK("other", send_tcp(m, 100) == 0);
	/* The guest starts anew. */
	CHECK("stop", hears(m, VHOST_GET_VRING_BASE, state, 8, -1));
	CHECK("where", read(m->fd, answer, sizeof(answer)) == 20 &&
		       answer[3] == 1 && answer[4] == 0);
	memset(m->mem + TX_AT, 0, DRIVER_AREA_BYTES);
	driver_init(&m->tx, m->mem + TX_AT, TX_AT, SIZE, false, false);
	start_queue(m, 1);
	{
		static uint8_t frame[200];
		const size_t len = make_tcp(frame, 100);

		CHECK("again", receive(m, frame, len, 12, false, 500, &meta,
				       &p) == (ssize_t)len);
	}
	unplug(m);
}

/* The file is cut under us: no signal, and the machine is left. */
static void check_gone(void)
{
	struct machine *m = plug(MODERN | BIT(VIRTIO_NET_F_MRG_RXBUF));
	struct frame_meta meta;
	const uint8_t *p;

	offer(m, 4, 2000);
	CHECK("cut", ftruncate(m->mem_fd, 4096) == 0);
	CHECK("read", vhost_read(m->v, &meta, &p) <= 0);
	CHECK("write", send_tcp(m, 500) == -EIO);
	CHECK("gone", m->v->mem.gone && !vhost_event(m->v));
	CHECK("told", m->logged >= 1 && strstr(m->last, "taken away"));
	unplug(m);
}

/* One of several: it alone is left, whichever came first. */
static void check_one_gone(void)
{
	const uint64_t features = MODERN | BIT(VIRTIO_NET_F_MRG_RXBUF);
	struct machine *m[3];

	for (unsigned i = 0; i < 3; i++) {
		m[i] = plug(features);
		offer(m[i], 4, 2000);
	}
	for (unsigned i = 0; i < 3; i++) {
		CHECK("goes on", send_tcp(m[i], 500) == 0);
		CHECK("cut", ftruncate(m[i]->mem_fd, 4096) == 0);
		CHECK("write", send_tcp(m[i], 500) == -EIO);
		for (unsigned j = 0; j < 3; j++)
			CHECK("it alone", !m[j]->v->mem.gone == (j > i));
	}
	for (unsigned i = 0; i < 3; i++)
		unplug(m[i]);
}

/* Pages written are marked, and no others. */
static void check_log(void)
{
	struct machine *m = plug(MODERN | BIT(VIRTIO_NET_F_MRG_RXBUF) |
				 BIT(VIRTIO_NET_F_GUEST_CSUM) |
				 BIT(VIRTIO_NET_F_GUEST_TSO4) |
				 BIT(VHOST_LOG_ALL));
	const uint64_t place[2] = { 4096, 0 };
	const int fd = memfd_create("log", MFD_CLOEXEC);
	uint8_t *log;

	CHECK("file", ftruncate(fd, 4096) == 0);
	log = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK("log", hears(m, VHOST_SET_LOG_BASE, place, 16, fd));
	offer(m, 3, 4096);
	CHECK("sent", send_tcp(m, 1000) == 0);
	CHECK("page", log[DATA_AT / 4096 / 8] ==
		      1u << DATA_AT / 4096 % 8);
	for (unsigned i = 0; i < 4096; i++)
		CHECK("others", !log[i] || i == DATA_AT / 4096 / 8);
	munmap(log, 4096);
	close(fd);
	unplug(m);
}

/* What is said of a queue that runs does not reach past its memory. */
static void check_running(void)
{
	struct machine *m = plug(MODERN | BIT(VIRTIO_NET_F_MRG_RXBUF));
	const uint32_t longer[2] = { 0, 4096 }, base[2] = { 0, 77 };
	const uint64_t other = MODERN | BIT(VHOST_PACKED) |
			       BIT(VHOST_EVENT_IDX);
	struct {
		uint32_t queue, flags;
		uint64_t desc, used, avail, log;
	} nowhere = { 0, 0, USER + MEM_BYTES - 16, USER, USER, 0 };

	offer(m, 4, 2000);
	CHECK("longer", hears(m, VHOST_SET_VRING_NUM, longer, 8, -1));
	CHECK("as it was", m->v->queue[0].ring.size == SIZE);
	CHECK("elsewhere", hears(m, VHOST_SET_VRING_BASE, base, 8, -1));
	CHECK("packed", hears(m, VHOST_SET_FEATURES, &other, 8, -1));
	CHECK("still split", !m->v->queue[0].ring.packed &&
			     !m->v->queue[0].ring.event_idx);
	CHECK("goes on", send_tcp(m, 100) == 0);
	CHECK("nowhere", hears(m, VHOST_SET_VRING_ADDR, &nowhere, 40, -1));
	CHECK("stopped", send_tcp(m, 100) == -EIO);
	unplug(m);
}

/* Regions by themselves, also such as come twice, and go twice. */
static void check_regions(void)
{
	struct machine *m = plug(MODERN);
	const uint64_t more[5] = { 0, MEM_BYTES, 65536, USER * 2, 0 };
	const uint64_t over[5] = { 0, MEM_BYTES + 4096, 65536, USER * 3, 0 };

	for (unsigned i = 0; i < 2; i++)
		CHECK("added", hears(m, VHOST_ADD_MEM_REG, more, 40,
				     m->mem_fd) && m->v->mem.n == 2);
	CHECK("other", hears(m, VHOST_ADD_MEM_REG, over, 40, m->mem_fd) &&
		       m->v->mem.n == 2 && strstr(m->last, "overlaps"));
	for (unsigned i = 0; i < 2; i++)
		CHECK("removed", hears(m, VHOST_REM_MEM_REG, more, 40, -1) &&
				 m->v->mem.n == 1);
	offer(m, 1, 2000);
	CHECK("goes on", send_tcp(m, 100) == 0);
	unplug(m);
}

/* Messages that break the protocol end it, and say why. */
static void check_messages(void)
{
	static const struct {
		const char *name;
		uint32_t request;
		uint64_t payload[5];
		size_t len;
		bool fd;
		const char *why;
	} cases[] = {
		{ "features", VHOST_SET_FEATURES, { 1ull << 60 }, 8, false,
		  "not offered" },
		{ "queue", VHOST_SET_VRING_NUM, { 8 }, 8, false, "queues" },
		{ "unknown", 40, { 0 }, 8, false, "not offered" },
		{ "length", VHOST_SET_FEATURES, { 0 }, 4, false, "length" },
		{ "no file", VHOST_SET_MEM_TABLE, { 1 }, 40, false,
		  "descriptors" },
		{ "file too many", VHOST_SET_OWNER, { 0 }, 0, true,
		  "descriptors" },
		{ "memory wraps", VHOST_SET_MEM_TABLE,
		  { 1, ~0ull - 10, 4096, USER, 0 }, 40, true, "wraps" },
		{ "no kick", VHOST_SET_VRING_KICK, { 0x100 }, 8, false,
		  "no kick" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine *m = plug(MODERN);

		CHECK(cases[i].name,
		      !hears(m, cases[i].request, cases[i].payload,
			     cases[i].len, cases[i].fd ? m->mem_fd : -1));
		CHECK(cases[i].name, m->logged == 1 &&
				     strstr(m->last, cases[i].why));
		unplug(m);
	}
}

void test_linux_vhost(void);
void test_linux_vhost(void)
{
	check_merge(0);
	check_merge(1);
	check_merge(700);
	check_unread();
	check_small();
	check_cut_kept();
	check_kept_end();
	check_cut();
	check_lent();
	check_odd();
	check_broken();
	check_gone();
	check_one_gone();
	check_log();
	check_messages();
	check_regions();
	check_running();
}
