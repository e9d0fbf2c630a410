/* SPDX-License-Identifier: MIT */
#include "keeper/firewalling.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "firewall/word.h"
#include "keeper/process.h"
#include "keeper/programlinks.h"
#include "keeper/state.h"
#include "linux/channel.h"
#include "linux/messages.h"
#include "linux/sealed.h"

enum rule_profile firewalling_profile(const struct keeper *k)
{
	const struct config *c = k->in.config;

	if (k->firewall.profile)
		return k->firewall.profile;
	if (c->profile_given)
		return c->profile;
	if (k->firewall.book.now.profile)
		return k->firewall.book.now.profile;
	return c->profile ? c->profile : RULE_PRIVATE;
}

bool firewalling_has_list(const struct keeper *k)
{
	return k->in.config->allow.set.rule;
}

struct firewall_defaults firewalling_defaults(const struct keeper *k)
{
	struct firewall_defaults d =
		firewall_defaults(firewalling_profile(k));

	d.out = d.out && !firewalling_has_list(k);
	return d;
}

bool firewalling_refuses(const struct keeper *k)
{
	const struct config *c = k->in.config;

	/* A command that is held to a list is to fail, not to hang. */
	return c->has_block_action ? c->block_refuse : firewalling_has_list(k);
}

/* ---- to the engine ---- */

static int rules_file(const struct rules *set, struct rules_size *size)
{
	const struct view empty = { (const uint8_t *)"", 1 };
	const struct view part[] = {
		{ (const uint8_t *)set->rule,
		  set->used.rules * sizeof(*set->rule) },
		{ (const uint8_t *)set->item,
		  set->used.items * sizeof(*set->item) },
		{ (const uint8_t *)set->text, set->used.text_bytes },
	};

	*size = (struct rules_size){ .rules = 0 };
	if (!set->rule)
		return sealed_file("rules", &empty, 1);
	*size = rules_needed(set);
	return sealed_file("rules", part, 3);
}

/* The rules as the engine has them: numbered as those in the book. */
static const struct rules *sent(const struct firewalling *f)
{
	return f->linked.set.rule ? &f->linked.set : &f->book.all.set;
}

static int send_rules(struct keeper *k)
{
	const struct firewalling *f = &k->firewall;
	const struct firewall_defaults d = firewalling_defaults(k);
	struct msg_firewall m = {
		.kind = MSG_FIREWALL, .generation = f->generation,
		.profile = (uint8_t)firewalling_profile(k),
		.in_from_guest = d.in_from_guest,
		.in_from_host = d.in_from_host,
		.in_from_lan = d.in_from_lan, .out = d.out,
		.off = !f->on, .refuse = firewalling_refuses(k),
		.keep_flows = f->keep_flows,
	};
	const struct rules *set = sent(f);
	struct rules_size size;
	int rc = rules_ask_programs(set) ? whose_want(k) : 0, fd;

	if (rc < 0)
		return rc;
	fd = rules_file(set, &size);
	if (fd < 0)
		return fd;
	m.rules = size.rules;
	m.items = size.items;
	m.text_bytes = size.text_bytes;
	snprintf(m.network, sizeof(m.network), "%s", k->in.name);
	rc = channel_send(k->engine_ch, &m, sizeof(m), &fd, 1);
	close(fd);
	return rc;
}

/* Without them a rule for a link holds for nobody, and the others hold. */
static void follow_links(struct keeper *k)
{
	struct firewalling *f = &k->firewall;
	int rc;

	ruleset_fini(&f->linked);
	rc = programlinks_follow(&f->book.all.set, &f->linked);
	if (rc < 0)
		log_print(&k->in.log, LOG_WARN, "links to programs are not "
			  "followed: %s; name the programs themselves",
			  strerror(-rc));
}

/* What cannot be sent now will be. */
void firewalling_tell(struct keeper *k, bool keep_flows)
{
	struct firewalling *f = &k->firewall;
	const bool waits = f->again_ns != NEVER;
	int rc;

	free(f->block);
	f->block = NULL;
	f->compiled = NULL;
	/* What the engine did not hear of may be more than this. */
	f->keep_flows = keep_flows && (!waits || f->keep_flows);
	f->generation++;
	follow_links(k);
	rc = send_rules(k);
	f->again_ns = rc < 0 ? keeper_now_ns() + FIREWALLING_AGAIN_NS : NEVER;
	if (rc < 0 && rc != -EAGAIN)
		log_print(&k->in.log, LOG_WARN, "the rules of the firewall "
			  "are not in force yet: %s", strerror(-rc));
}

/* Again, what it did not take. */
static void send_again(struct keeper *k, uint64_t now_ns)
{
	struct firewalling *f = &k->firewall;

	f->again_ns = send_rules(k) < 0 ? now_ns + FIREWALLING_AGAIN_NS :
					  NEVER;
}

uint64_t firewalling_tick(struct keeper *k, uint64_t now_ns)
{
	struct firewalling *f = &k->firewall;

	if (f->on_ns <= now_ns) {
		f->on = true;
		f->on_ns = NEVER;
		firewalling_tell(k, false);
		log_write(&k->in.log, LOG_INFO, "the firewall is on again");
	}
	if (f->again_ns <= now_ns)
		send_again(k, now_ns);
	return f->on_ns < f->again_ns ? f->on_ns : f->again_ns;
}

/* ---- what is published ---- */

static struct ip next_ip(struct ip ip)
{
	ip.b[15]++;			/* of a gateway: no carry */
	return ip;
}

static struct ip last_ip(const struct prefix *p)
{
	struct ip ip = p->ip;
	const unsigned bits = p->bits + (ip_is4(&ip) ? 96u : 0u);

	for (unsigned i = bits; i < 128; i++)
		ip.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return ip;
}

/*
 * What may be reached by a published port: any address of its guest's, which
 * takes some by itself, but not the gateway's, or the host's own ports would
 * be open to the guest by that rule.
 */
static void guests(const struct keeper *k, struct rulebook_range out[2])
{
	out[0] = (struct rulebook_range){ next_ip(k->in.gateway4),
					  last_ip(&k->in.plan.net4) };
	out[1] = (struct rulebook_range){ .first = { { 0 } } };
	if (k->in.config->ipv6)
		out[1] = (struct rulebook_range){ next_ip(k->in.gateway6),
						  last_ip(&k->in.plan.net6) };
}

/* false: no memory; some of them are not open. */
static bool publish_all(struct keeper *k)
{
	struct rulebook_range to[2];
	bool ok = true;

	guests(k, to);
	rulebook_unpublish_all(&k->firewall.book);
	for (unsigned i = 0; i < PUBLISHED_ENTRIES_MAX; i++) {
		const struct publish_entry *e = &k->published.entry[i];

		if (e->used)
			ok = rulebook_publish(&k->firewall.book, &e->what,
					      *e->what.guest ? e->what.guest :
					      k->in.name, to) && ok;
	}
	return ok;
}

void firewalling_published(struct keeper *k)
{
	const bool ok = publish_all(k);
	const char *why = rulebook_merge(&k->firewall.book);

	if (!why)
		firewalling_tell(k, true);
	if (!ok || why)
		log_print(&k->in.log, LOG_WARN, "what is published is not all "
			  "in the rules of the firewall: %s",
			  why ? why : "no memory");
}

/* ---- the state ---- */

static void take_error(void *ctx, const struct text_error *e)
{
	struct keeper *k = ctx;
	char text[TEXT_ERROR_BYTES];

	log_print(&k->in.log, LOG_WARN, "rules that were kept, %s",
		  text_error_format(e, text));
}

static bool load(struct keeper *k)
{
	const struct text_sink sink = { .error = take_error, .ctx = k };
	char *text = state_load_rules(k->in.name);
	bool ok = true;

	if (text)
		ok = rulebook_load(&k->firewall.book, word_of(text), &sink);
	free(text);
	return ok;
}

int firewalling_save(const struct keeper *k)
{
	char *text;
	int rc = -ENOMEM;

	if (!rulebook_keeps(&k->firewall.book))
		return state_save_rules(k->in.name, NULL);
	text = rulebook_text(&k->firewall.book);
	if (text)
		rc = state_save_rules(k->in.name, text);
	free(text);
	return rc;
}

/* Where the log goes. NULL: nowhere. */
static const char *log_path(const struct keeper *k, char *buf, size_t cap)
{
	const struct config *c = k->in.config;

	if (!c->log_blocked)
		return NULL;
	if (c->log_file[0])
		return c->log_file;
	return state_log_path(k->in.name, buf, cap) ? buf : NULL;
}

void firewalling_blocked(struct keeper *k, const struct network_blocked *what)
{
	const struct rules *set = &k->firewall.book.all.set;
	const bool had_failed = k->blocked.log.failed;
	const char *rule = "";

	/* A number of an earlier generation is no rule of this one's. */
	if (what->generation == k->firewall.generation &&
	    what->rule < set->used.rules)
		rule = set->text + set->rule[what->rule].name;
	blocked_note(&k->blocked, what, rule, time(NULL));
	if (k->blocked.log.failed && !had_failed)
		log_print(&k->in.log, LOG_WARN, "%s cannot be written: what "
			  "the firewall blocks is not logged; set [firewall] "
			  "log", k->blocked.path);
}

int firewalling_begin(struct keeper *k, struct fail *fail)
{
	struct firewalling *f = &k->firewall;
	const struct config *c = k->in.config;
	const char *why = "no memory";
	char path[CONFIG_PATH_BYTES];

	blocked_init(&k->blocked, log_path(k, path, sizeof(path)),
		     c->log_bytes, firewalling_has_list(k));
	f->book.files = &c->rules;
	f->book.allow = &c->allow;
	f->on = c->firewall;
	f->on_ns = f->again_ns = NEVER;
	if (load(k) && publish_all(k))
		why = rulebook_merge(&f->book);
	if (!why)
		firewalling_tell(k, true);
	return why ? fail_set(fail, "the firewall has no rules: %s; remove "
			      "some of those of the files, or what slipway "
			      "firewall has kept", why) : 0;
}

/* ---- our own questions ---- */

const struct firewall *firewalling_compiled(struct keeper *k)
{
	struct firewalling *f = &k->firewall;
	const struct firewall_net net = {
		.name = k->in.name, .profile = firewalling_profile(k),
		.v6 = k->in.config->ipv6,
		.subnet4 = k->in.plan.net4, .subnet6 = k->in.plan.net6,
		.gateway4 = k->in.gateway4, .gateway6 = k->in.gateway6,
		.defaults = firewalling_defaults(k),
	};

	if (f->compiled)
		return f->compiled;
	f->block = malloc(firewall_bytes(sent(f)));
	if (f->block)
		f->compiled = firewall_compile(sent(f), &net, f->block);
	return f->compiled;
}
