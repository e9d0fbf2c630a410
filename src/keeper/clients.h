/* SPDX-License-Identifier: MIT */
/*
 * keeper/clients.h - who is connected to the control socket
 *
 * Each connection brings one request and gets one reply (control/http.h,
 * control/api.h). Nothing here blocks: a client that does not send its
 * request, or does not take its reply, within CLIENT_NS is cut off; a long
 * reply has more time. Some replies *hold* the connection: it then stays until
 * the client goes or the keeper ends.
 *
 *   FREE      no client
 *   READING   the request is not whole yet
 *   WAITING   the request was handed out; clients_reply() is owed
 *   WRITING   the reply is being sent
 *   HELD      nothing more is said; end of file is all that counts, but of
 *             API_JOIN a descriptor comes first
 *
 * Limits. CLIENTS_MAX at a time, further ones wait in the backlog.
 * HTTP_HEAD_MAX and HTTP_BODY_MAX, of rules HTTP_BODY_LARGE, for a request. Only the same user and root
 * are heard.
 */
#ifndef KEEPER_CLIENTS_H
#define KEEPER_CLIENTS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "control/api.h"
#include "linux/channel.h"

#define CLIENTS_MAX	128
#define CLIENTS_HELD_MAX 112		/* the rest is for stop and status */
#define CLIENT_NS	UINT64_C(2000000000)
#define CLIENT_BYTES	(2u << 20)	/* of a reply: CLIENT_NS more for each */

enum client_state {
	CLIENT_FREE,
	CLIENT_READING,
	CLIENT_WAITING,
	CLIENT_WRITING,
	CLIENT_HELD,
};

struct client {
	enum client_state state;
	enum api_op op;			/* from WAITING on */
	json_t *body;			/* of the request; owned; an object */
	int fd;
	uint64_t serial;		/* from 1 on; nobody else's ever */
	int got_fd;			/* of API_JOIN, once HELD, with a line
					   in text; taken, or -1 */
	bool elsewhere;			/* in another network namespace */
	char *text;			/* request, then reply; allocated */
	size_t len, done;		/* bytes there, bytes sent */
	bool hold;			/* after the reply */
	int pass[CHANNEL_MAX_FDS];	/* borrowed until sent */
	size_t n_pass;
	int lent;			/* one of these, ours until then; or 0 */
	uint32_t asked;			/* of whom else it waits for; 0 */
	uint64_t deadline_ns;		/* READING and WRITING */
};

struct clients {
	int listen_fd;
	uint64_t serials;
	struct client at[CLIENTS_MAX];
};

/* Bind and listen at path, 0600, replacing a leftover. 0 or -errno. */
MUST int clients_init(struct clients *c, const char *path);

/* What to poll for; p has room for CLIENTS_MAX + 1. How many. */
size_t clients_fill(const struct clients *c, struct pollfd *p);

/*
 * Deal with what poll() said; p as clients_fill() left it. want(ctx, client)
 * is called for each whole request, the client being WAITING.
 */
void clients_turn(struct clients *c, const struct pollfd *p, size_t n,
		  uint64_t now_ns,
		  void (*want)(void *ctx, struct client *client), void *ctx);

/*
 * Reply to a WAITING client. root is taken; NULL: there is no memory for it.
 * hold: the connection stays.
 */
void clients_reply(struct client *client, int status, json_t *root, bool hold,
		   uint64_t now_ns);

/* The same by a problem object. detail: why, and what to do. */
void clients_refuse(struct client *client, int status, const char *detail,
		    uint64_t now_ns);

/*
 * Switch it to the protocol of API_EXEC or API_JOIN: root (taken) as a line, with
 * descriptors, which are borrowed as long as the clients live. It is held.
 */
void clients_switch(struct client *client, json_t *root, const int *fds,
		    size_t n_fds, uint64_t now_ns);

/* Cut it off. */
void clients_drop(struct client *client);

/* The same with one descriptor, which is taken. */
void clients_lend(struct client *client, json_t *root, int fd,
		  uint64_t now_ns);

/* Are there as many HELD clients as may be? */
bool clients_crowded(const struct clients *c);

/* Cut off who is late; when to call again, UINT64_MAX for never. */
uint64_t clients_expire(struct clients *c, uint64_t now_ns);

#endif
