/* SPDX-License-Identifier: MIT */
/* linux/vhost.c - what a machine's process says to linux/vhost.h */
#include "linux/vhost.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BIT(n)		(UINT64_C(1) << (n))

/* VHOST_USER_PROTOCOL_F_… */
enum {
	PROTOCOL_MQ = 0, PROTOCOL_LOG_SHMFD = 1, PROTOCOL_RARP = 2,
	PROTOCOL_REPLY_ACK = 3, PROTOCOL_NET_MTU = 4, PROTOCOL_MEM_SLOTS = 15,
};

#define FEATURES (BIT(VHOST_VERSION_1) | BIT(VHOST_PACKED) |	\
		  BIT(VHOST_ANY_LAYOUT) | BIT(VHOST_LOG_ALL) |	\
		  BIT(VHOST_INDIRECT) |			\
		  BIT(VHOST_EVENT_IDX) | BIT(VHOST_PROTOCOL) |	\
		  BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | \
		  BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_NET_F_STATUS) |	\
		  BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_MRG_RXBUF) |	\
		  BIT(VIRTIO_NET_F_GUEST_TSO4) |			\
		  BIT(VIRTIO_NET_F_GUEST_TSO6) |			\
		  BIT(VIRTIO_NET_F_GUEST_ECN) |				\
		  BIT(VIRTIO_NET_F_HOST_TSO4) |				\
		  BIT(VIRTIO_NET_F_HOST_TSO6) |				\
		  BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VHOST_GUEST_USO4) |	\
		  BIT(VHOST_GUEST_USO6) | BIT(VHOST_HOST_USO))

#define PROTOCOL_FEATURES (BIT(PROTOCOL_MQ) | BIT(PROTOCOL_LOG_SHMFD) |	\
			   BIT(PROTOCOL_RARP) | BIT(PROTOCOL_REPLY_ACK) | \
			   BIT(PROTOCOL_NET_MTU) | BIT(PROTOCOL_MEM_SLOTS))

#define MESSAGES_PER_TURN 64
#define TELL_AGAIN_S	60

/* ---- what is said of it ---- */

int64_t vhost_now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

void vhost_tell(struct vhost *v, const char *text)
{
	struct vhost_told *t = v->told;
	char line[200];

	while (t < v->told + VHOST_TOLD_MAX - 1 && t->text && t->text != text)
		t++;
	if (t->text == text && vhost_now_s() - t->at_s < TELL_AGAIN_S)
		return;
	*t = (struct vhost_told){ .text = text, .at_s = vhost_now_s() };
	snprintf(line, sizeof(line), "the virtual machine: %s", text);
	v->log.write(v->log.ctx, LOG_WARN, line);
}

/* It is to notice itself: vhost_event() is called, and ends it. */
static void part(const struct vhost *v)
{
	if (v->fd >= 0)
		shutdown(v->fd, SHUT_RDWR);
}

bool vhost_is_lost(struct vhost *v, struct vhost_queue *q)
{
	const uint64_t one = 1;

	if (v->mem.gone) {
		vhost_tell(v, "its memory was taken away under us; it is "
			   "disconnected");
		part(v);
		return true;
	}
	if (!q->ring.broken)
		return false;
	vhost_tell(v, q->ring.broken);
	if (q->err_fd >= 0)
		(void)!write(q->err_fd, &one, sizeof(one));
	q->started = false;
	return true;
}

/* ---- queues ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The other end has it, too: closed here, it would go on to wake us. */
static void drop_kick(const struct vhost *v, struct vhost_queue *q)
{
	if (q->kick_fd >= 0)
		(void)!epoll_ctl(v->epoll_fd, EPOLL_CTL_DEL, q->kick_fd,
				 NULL);
	close_fd(&q->kick_fd);
}

static void stop_queue(const struct vhost *v, struct vhost_queue *q)
{
	q->started = false;
	drop_kick(v, q);
}

/* Find its areas, from place `base` on. */
static bool place_queue(struct vhost *v, struct vhost_queue *q, uint32_t base)
{
	const struct vring_place at = {
		.desc = q->addr.desc, .driver = q->addr.avail,
		.device = q->addr.used,
	};
	struct vring *r = &q->ring;

	r->size = q->size;
	r->packed = vhost_has(v, VHOST_PACKED);
	r->event_idx = vhost_has(v, VHOST_EVENT_IDX);
	r->indirect = vhost_has(v, VHOST_INDIRECT);
	r->logs = q->addr.logs && vhost_has(v, VHOST_LOG_ALL);
	r->log_at = q->addr.log;
	if (q->has_addr && vring_start(r, &v->mem, &at, base))
		return true;
	vhost_tell(v, "a queue is not where it says, or has an odd size");
	return false;
}

static void start_queue(struct vhost *v, struct vhost_queue *q)
{
	q->started = place_queue(v, q, q->base);
	if (!vhost_has(v, VHOST_PROTOCOL))
		q->enabled = true;
	q->asked = true;
	if (q == &v->queue[0]) {
		v->rejoined = true;
		v->kept_len = 0;	/* it was another guest's */
	}
}

static void move_queue(struct vhost *v, struct vhost_queue *q)
{
	q->base = vring_base(&q->ring);
	q->started = place_queue(v, q, q->base);
}

/* Memory or addresses have changed: the same queues, elsewhere perhaps. */
static void place_again(struct vhost *v)
{
	for (unsigned i = 0; i < VHOST_QUEUES; i++) {
		struct vhost_queue *q = &v->queue[i];

		if (q->started)
			move_queue(v, q);
	}
}

/* ---- messages ---- */

/* What became of a message. */
enum outcome {
	DONE,
	DECLINED,		/* said where the machine wants to know */
	ANSWERED,
	OVER,			/* no more with this one */
};

static int take_fd(struct vhost *v)
{
	const int fd = v->n_fds ? v->fds[0] : -1;

	if (v->n_fds)
		v->fds[0] = -1;
	return fd;
}

static enum outcome answer(struct vhost *v, uint32_t request,
			   const void *payload, size_t n)
{
	uint8_t b[VHOST_HEADER_BYTES + 16];
	const size_t len = vhost_emit(b, request, payload, n);

	if (send(v->fd, b, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len)
		return ANSWERED;
	vhost_tell(v, "it does not read what it asks for");
	return OVER;
}

static enum outcome answer_u64(struct vhost *v, uint32_t request,
			       uint64_t value)
{
	return answer(v, request, &value, sizeof(value));
}

static enum outcome set_features(struct vhost *v, uint64_t wanted)
{
	if (wanted & ~FEATURES) {
		vhost_tell(v, "it takes features that were not offered");
		return OVER;
	}
	v->features = wanted;
	for (unsigned i = 0; i < VHOST_QUEUES; i++)
		v->queue[i].ring.logs = v->queue[i].addr.logs &&
					vhost_has(v, VHOST_LOG_ALL);
	return DONE;
}

static void no_memory(struct vhost *v, int rc)
{
	vhost_tell(v, rc == -EINVAL ? "its memory overlaps or wraps" :
		   rc == -ENOSPC ? "it has too much memory, or too many "
		   "regions of it" : "its memory cannot be mapped; give it a "
		   "memory backend with share=on");
}

static enum outcome set_memory(struct vhost *v, const struct vhost_msg *m)
{
	int rc = 0;

	guestmem_clear(&v->mem);
	for (uint32_t i = 0; i < m->regions && !rc; i++)
		rc = guestmem_add(&v->mem, &m->region[i], v->fds[i]);
	if (rc) {
		no_memory(v, rc);
		return OVER;
	}
	place_again(v);
	return DONE;
}

/*
 * QEMU before 8.0 says both of these once for each pair of queues: the same
 * region again is no other one, and what has gone may go again.
 */
static enum outcome add_memory(struct vhost *v, const struct vhost_msg *m)
{
	int rc;

	(void)!guestmem_remove(&v->mem, &m->region[0]);
	rc = guestmem_add(&v->mem, &m->region[0], v->fds[0]);
	if (rc)
		no_memory(v, rc);
	place_again(v);
	return rc ? DECLINED : DONE;
}

static enum outcome remove_memory(struct vhost *v, const struct vhost_msg *m)
{
	(void)!guestmem_remove(&v->mem, &m->region[0]);
	place_again(v);
	return DONE;
}

static enum outcome set_log(struct vhost *v, const struct vhost_msg *m)
{
	const int rc = guestmem_log_to(&v->mem, m->u64, m->log_offset,
				       v->fds[0]);

	if (!rc)
		return answer_u64(v, VHOST_SET_LOG_BASE, 0);
	vhost_tell(v, "its log of changed memory cannot be mapped");
	return OVER;
}

static enum outcome set_kick(struct vhost *v, struct vhost_queue *q)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLET, .data.u64 = v->kick_datum,
	};

	drop_kick(v, q);
	q->kick_fd = take_fd(v);
	if (q->kick_fd < 0 ||
	    epoll_ctl(v->epoll_fd, EPOLL_CTL_ADD, q->kick_fd, &ev) < 0) {
		vhost_tell(v, "a queue cannot be waited for: it has no kick");
		close_fd(&q->kick_fd);
		return OVER;
	}
	start_queue(v, q);
	return DONE;
}

/* Nobody may hold us up who does not empty it. */
static enum outcome set_told_fd(struct vhost *v, int *fd)
{
	close_fd(fd);
	*fd = take_fd(v);
	if (*fd >= 0)
		(void)!fcntl(*fd, F_SETFL,
			     fcntl(*fd, F_GETFL) | O_NONBLOCK);
	return DONE;
}

static enum outcome get_base(struct vhost *v, struct vhost_queue *q,
			     const struct vhost_msg *m)
{
	uint32_t state[2] = { m->queue, q->base };

	if (q->started || q->ring.broken)
		state[1] = vring_base(&q->ring);
	stop_queue(v, q);
	q->base = state[1];
	q->ring.broken = NULL;
	return answer(v, VHOST_GET_VRING_BASE, state, sizeof(state));
}

static enum outcome set_addr(struct vhost *v, struct vhost_queue *q,
			     const struct vhost_msg *m)
{
	q->addr = m->addr;
	q->has_addr = true;
	if (q->started)
		move_queue(v, q);
	return DONE;
}

/* A frame of ours could be longer than what the guest was told to expect. */
static enum outcome set_mtu(struct vhost *v, uint64_t mtu)
{
	if (mtu >= v->mtu)
		return DONE;
	vhost_tell(v, "its host_mtu is less than the network's MTU; make them "
		   "the same");
	return DECLINED;
}

/* Of one queue. */
static enum outcome queue_message(struct vhost *v, const struct vhost_msg *m)
{
	struct vhost_queue *q;

	if (m->queue >= VHOST_QUEUES) {
		vhost_tell(v, "it has more queues than were offered");
		return OVER;
	}
	q = &v->queue[m->queue];
	switch (m->head.request) {
	case VHOST_SET_VRING_NUM:
		/* A ring in use keeps the size that its places were for. */
		q->size = m->num <= VRING_SIZE_MAX ? (uint16_t)m->num : 0;
		return DONE;
	case VHOST_SET_VRING_ADDR:
		return set_addr(v, q, m);
	case VHOST_SET_VRING_BASE:
		q->base = m->num;
		return DONE;
	case VHOST_GET_VRING_BASE:
		return get_base(v, q, m);
	case VHOST_SET_VRING_KICK:
		return set_kick(v, q);
	case VHOST_SET_VRING_CALL:
		return set_told_fd(v, &q->call_fd);
	case VHOST_SET_VRING_ERR:
		return set_told_fd(v, &q->err_fd);
	default:
		q->enabled = m->num;	/* VHOST_SET_VRING_ENABLE */
		return DONE;
	}
}

static enum outcome reset(struct vhost *v)
{
	for (unsigned i = 0; i < VHOST_QUEUES; i++)
		v->queue[i].enabled = false;
	return DONE;
}

static enum outcome message(struct vhost *v, const struct vhost_msg *m)
{
	const uint32_t request = m->head.request;

	switch (request) {
	case VHOST_GET_FEATURES:
		return answer_u64(v, request, FEATURES);
	case VHOST_SET_FEATURES:
		return set_features(v, m->u64);
	case VHOST_GET_PROTOCOL_FEATURES:
		return answer_u64(v, request, PROTOCOL_FEATURES);
	case VHOST_SET_PROTOCOL_FEATURES:
		v->protocol = m->u64 & PROTOCOL_FEATURES;
		return DONE;
	case VHOST_GET_QUEUE_NUM:
		return answer_u64(v, request, VHOST_PAIRS_MAX);
	case VHOST_GET_MAX_MEM_SLOTS:
		return answer_u64(v, request, GUESTMEM_REGIONS_MAX);
	case VHOST_SET_MEM_TABLE:
		return set_memory(v, m);
	case VHOST_ADD_MEM_REG:
		return add_memory(v, m);
	case VHOST_REM_MEM_REG:
		return remove_memory(v, m);
	case VHOST_SET_LOG_BASE:
		return set_log(v, m);
	case VHOST_NET_SET_MTU:
		return set_mtu(v, m->u64);
	case VHOST_RESET_OWNER:
		return reset(v);
	case VHOST_SET_OWNER: case VHOST_SET_LOG_FD: case VHOST_SEND_RARP:
		return DONE;		/* there is one link, and one owner */
	default:
		return queue_message(v, m);
	}
}

static void close_rest(struct vhost *v)
{
	for (size_t i = 0; i < v->n_fds; i++)
		close_fd(&v->fds[i]);
	v->n_fds = 0;
}

/* A whole message is there. false: the end. */
static bool act(struct vhost *v, const struct vhost_header *head)
{
	struct vhost_msg m;
	const enum vhost_bad bad =
		vhost_parse(head, v->in + VHOST_HEADER_BYTES, v->n_fds, &m);
	enum outcome did = OVER;

	/* What was done so far is the old memory's and the old queues'. */
	vhost_flush(v);
	if (bad == VHOST_GOOD)
		did = message(v, &m);
	else
		vhost_tell(v, vhost_bad_text(bad));
	close_rest(v);
	v->in_len = 0;
	if (head->wants_reply && (v->protocol & BIT(PROTOCOL_REPLY_ACK)) &&
	    (did == DONE || did == DECLINED))
		did = answer_u64(v, head->request, did == DECLINED);
	return did != OVER;
}

/* ---- what comes ---- */

/* Keep the descriptors that came along. false: they do not fit. */
static bool keep_fds(struct vhost *v, struct msghdr *msg)
{
	bool fit = !(msg->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (v->n_fds < VHOST_REGIONS_MAX) {
				v->fds[v->n_fds++] = fd;
			} else {
				close(fd);
				fit = false;
			}
		}
	}
	return fit;
}

/*
 * Read towards `want` bytes of the message. 1: they are here; 0: not yet;
 * -1: the end.
 */
static int fill(struct vhost *v, size_t want)
{
	_Alignas(struct cmsghdr)
	char control[CMSG_SPACE(VHOST_REGIONS_MAX * sizeof(int))];
	struct iovec iov = { .iov_base = v->in + v->in_len,
			     .iov_len = want - v->in_len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	if (v->in_len == want)
		return 1;
	n = recvmsg(v->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	v->in_len += (size_t)n;
	if (!keep_fds(v, &msg)) {
		vhost_tell(v, "it sends more descriptors than we may have");
		return -1;
	}
	return v->in_len == want;
}

/* As fill(), for a whole message, which is dealt with. */
static int one_message(struct vhost *v)
{
	struct vhost_header head;
	enum vhost_bad bad;
	int rc = 1;

	if (v->in_len < VHOST_HEADER_BYTES)
		rc = fill(v, VHOST_HEADER_BYTES);
	if (rc <= 0)
		return rc;
	bad = vhost_parse_header(v->in, &head);
	if (bad != VHOST_GOOD) {
		vhost_tell(v, vhost_bad_text(bad));
		return -1;
	}
	rc = fill(v, VHOST_HEADER_BYTES + head.size);
	if (rc <= 0)
		return rc;
	return act(v, &head) ? 1 : -1;
}

bool vhost_event(struct vhost *v)
{
	int rc = 1;

	for (unsigned i = 0; i < MESSAGES_PER_TURN && rc > 0; i++)
		rc = one_message(v);
	return rc >= 0 && !v->mem.gone;
}

/* ---- begin and end ---- */

void vhost_init(struct vhost *v)
{
	v->fd = -1;
	for (unsigned i = 0; i < VHOST_QUEUES; i++)
		v->queue[i] = (struct vhost_queue){
			.kick_fd = -1, .call_fd = -1, .err_fd = -1,
		};
	guestmem_catch();
}

void vhost_begin(struct vhost *v, int fd)
{
	v->fd = fd;
	v->features = v->protocol = 0;
	v->in_len = v->n_fds = 0;
	v->lent_of = NULL;
	v->kept_len = 0;
}

void vhost_end(struct vhost *v)
{
	v->fd = -1;
	v->lent_of = NULL;
	close_rest(v);
	for (unsigned i = 0; i < VHOST_QUEUES; i++) {
		struct vhost_queue *q = &v->queue[i];

		stop_queue(v, q);
		close_fd(&q->call_fd);
		close_fd(&q->err_fd);
		*q = (struct vhost_queue){
			.kick_fd = -1, .call_fd = -1, .err_fd = -1,
		};
	}
	guestmem_clear(&v->mem);
}

bool vhost_is_back(struct vhost *v)
{
	const bool back = v->rejoined;

	v->rejoined = false;
	return back;
}
