/* SPDX-License-Identifier: MIT */
/*
 * engine/owners.h - questions to the owner helper, and its answers
 *
 * The helper (linux/ownerhelper.h) is there only if rules name programs; it may
 * come late, and go. Nobody waits for it here: a question is sent, or cannot
 * be; its answer comes by an event, or OWNERS_PATIENCE_NS are over. Answers
 * that come later than that are thrown away.
 *
 * Without a helper nothing can be asked. When it goes, all that it owes is
 * unknown, and so it stays until there is another.
 *
 * Limits. OWNERS_MAX questions, counted from the oldest that is not answered.
 */
#ifndef ENGINE_OWNERS_H
#define ENGINE_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"

#define OWNERS_MAX		256u
#define OWNERS_PATIENCE_NS	UINT64_C(1000000000)

enum owners_answer {
	OWNER_KNOWN,
	OWNER_UNKNOWN,		/* nobody's, several programs', not ours to
				   see, or there is no helper any more */
	OWNER_LATE,		/* not found out in time */
};

/* Ends of a socket that is asked about; see struct msg_owner_ask. */
struct owners_socket {
	bool in_guest, listens;
	uint8_t protocol;
	struct endpoint local, remote;
};

/* path: of a known one, lent during the call; else NULL. */
typedef void owners_told_fn(void *ctx, uint32_t id,
			      enum owners_answer answer, const char *path,
			      uint64_t now_ns);

struct owners_question {
	uint32_t id;			/* the asker's */
	bool open;
	uint64_t until_ns;
};

struct owners {
	int ch;				/* to the helper, owned; -1: none */
	owners_told_fn *told;
	void *ctx;
	uint32_t first, next;		/* numbers of the oldest question that
					   may be open, and of the next one */
	struct owners_question questions[OWNERS_MAX];	/* number % MAX */
	uint64_t asked, late, refused;	/* ever; refused: there was no room */
};

/* told: is called by the functions that say so, and by none within itself. */
void owners_init(struct owners *o, owners_told_fn *told, void *ctx);

/*
 * From now on ask at ch (taken), which becomes non-blocking. What the one
 * before owes is told.
 */
void owners_set_helper(struct owners *o, int ch, uint64_t now_ns);

/*
 * Ask; id is told later, by an event or owners_expire(). false: it is not,
 * because there is no helper (ch is -1), or it has too many
 * questions already.
 */
MUST bool owners_ask(struct owners *o, uint32_t id,
		       const struct owners_socket *what, uint64_t now_ns);

/* There is something at ch: tells. false: the helper has gone just now. */
MUST bool owners_event(struct owners *o, uint64_t now_ns);

/* When owners_expire() is due: absolute, UINT64_MAX for never. */
uint64_t owners_next_timer(const struct owners *o);
void owners_expire(struct owners *o, uint64_t now_ns);	/* tells */

#endif
