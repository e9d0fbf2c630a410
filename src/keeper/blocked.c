/* SPDX-License-Identifier: MIT */
#include "keeper/blocked.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/api.h"
#include "firewall/firewall.h"
#include "firewall/text.h"

static const char log_head[] =
	"#Version: 1.5\n"
	"#Software: Slipway " SLIPWAY_VERSION "\n"
	"#Time Format: Local\n"
	"#Fields: date time action protocol src-ip dst-ip src-port dst-port "
	"size tcpflags tcpsyn tcpack tcpwin icmptype icmpcode info path "
	"rule\n\n";

void blocked_init(struct blocked *b, const char *path, uint32_t log_bytes,
		  bool sums)
{
	b->sums = sums;
	b->log = (struct logwriter){ .head = log_head, .max = log_bytes,
				     .fd = -1, .failed = !path };
	if (!path)
		return;
	snprintf(b->path, sizeof(b->path), "%s", path);
	b->log.path = b->path;
}

/* ---- a line of the log ---- */

struct line {
	char *buf;
	size_t cap, len;
};

__attribute__((format(printf, 2, 3)))
static void put(struct line *l, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(l->buf + l->len, l->cap - l->len, format, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n;
	if (l->len >= l->cap)
		l->len = l->cap - 1;
}

static bool is_icmp(const struct network_blocked *b)
{
	return b->protocol == RULE_ICMP4 || b->protocol == RULE_ICMP6;
}

static void put_protocol(struct line *l, const struct network_blocked *b)
{
	switch (b->protocol) {
	case RULE_TCP:
		put(l, " TCP");
		break;
	case RULE_UDP:
		put(l, " UDP");
		break;
	case RULE_ICMP4: case RULE_ICMP6:
		put(l, " ICMP%s", b->protocol == RULE_ICMP6 ? "V6" : "");
		break;
	default:
		put(l, " %u", b->protocol);
	}
}

static void put_ends(struct line *l, const struct network_blocked *b)
{
	char src[IP_TEXT_BYTES], dst[IP_TEXT_BYTES];

	put(l, " %s %s", ip_format(&b->src.ip, src),
	    ip_format(&b->dst.ip, dst));
	if (is_icmp(b))
		put(l, " - -");
	else
		put(l, " %u %u", b->src.port, b->dst.port);
	if (b->size)
		put(l, " %u", b->size);
	else
		put(l, " -");
}

static void put_tcp(struct line *l, const struct network_blocked *b)
{
	static const char letters[] = "FSRPAU";	/* from bit 0 on */

	if (b->protocol != RULE_TCP || !b->size) {
		put(l, " - - - -");
		return;
	}
	put(l, " ");
	for (unsigned i = 0; i < 6; i++)
		if (b->tcp_flags >> i & 1)
			put(l, "%c", letters[i]);
	if (!(b->tcp_flags & 0x3f))
		put(l, "-");
	put(l, " %u %u %u", b->tcp_seq, b->tcp_ack, b->tcp_window);
}

/* A field of others' words: one word, whatever is in it. */
static void put_field(struct line *l, const char *text)
{
	char word[BLOCKED_RULE_BYTES * 4 + 3];

	text_word(text, word, sizeof(word));
	if (!*text)
		put(l, " -");
	else if (word[0] != '"' && (strchr(word, ' ') || !strcmp(word, "-")))
		put(l, " \"%s\"", word);
	else
		put(l, " %s", word);
}

size_t blocked_line(const struct network_blocked *b, const char *rule,
		    time_t when, char *buf, size_t cap)
{
	struct line l = { .buf = buf, .cap = cap };
	char text[32] = "- -";
	struct tm tm;

	if (localtime_r(&when, &tm))
		strftime(text, sizeof(text), "%F %T", &tm);
	put(&l, "%s DROP", text);
	put_protocol(&l, b);
	put_ends(&l, b);
	put_tcp(&l, b);
	if (is_icmp(b))
		put(&l, " %u %u", b->icmp_type, b->icmp_code);
	else
		put(&l, " - -");
	put_field(&l, b->name);
	put(&l, " %s", b->in ? "RECEIVE" : "SEND");
	put_field(&l, rule);
	/* Cut or not, a line ends. */
	if (l.len + 1 >= cap)
		l.len = cap - 2;
	put(&l, "\n");
	return l.len;
}

/* ---- what is kept ---- */

static bool is_same(const struct blocked_entry *e,
		    const struct network_blocked *b, const char *rule)
{
	return e->what.in == b->in && e->what.origin == b->origin &&
	       e->what.protocol == b->protocol &&
	       e->what.told == b->told &&
	       e->what.dst.port == b->dst.port &&
	       ip_equal(&e->what.dst.ip, &b->dst.ip) &&
	       ip_equal(&e->what.src.ip, &b->src.ip) &&
	       !strcmp(e->what.name, b->name) && !strcmp(e->rule, rule);
}

static void keep(struct blocked *b, const struct network_blocked *what,
		 const char *rule, time_t now)
{
	struct blocked_entry e = { .what = *what, .when = now, .count = 1 };
	unsigned i = 0;

	snprintf(e.rule, sizeof(e.rule), "%s", rule);
	while (i < b->n && !is_same(&b->at[i], what, e.rule))
		i++;
	if (i < b->n)
		e.count += b->at[i].count;
	else if (b->n == BLOCKED_MAX)
		i = 0;			/* the oldest goes */
	else
		i = b->n++;
	memmove(&b->at[i], &b->at[i + 1], (b->n - 1 - i) * sizeof(e));
	b->at[b->n - 1] = e;
}

/* What a word of --allow would have let pass. */
static void sum_up(struct blocked *b, const struct network_blocked *what)
{
	struct blocked_sum *s = b->sum;

	/* The root is asked for in passing; no word stands for it. */
	if (what->in || what->rule != BLOCKED_NO_RULE ||
	    !strcmp(what->name, "."))
		return;
	while (s < b->sum + b->n_sums &&
	       (strcmp(s->name, what->name) ||
		(!*what->name && !ip_equal(&s->ip, &what->dst.ip))))
		s++;
	if (s == b->sum + BLOCKED_SUMMED_MAX) {
		b->unsummed++;
		return;
	}
	if (s == b->sum + b->n_sums) {
		*s = (struct blocked_sum){ .ip = what->dst.ip,
			.port = what->dst.port, .protocol = what->protocol };
		memcpy(s->name, what->name, sizeof(s->name));
		b->n_sums++;
	}
	s->count++;
}

void blocked_note(struct blocked *b, const struct network_blocked *told,
		  const char *rule, time_t now)
{
	struct network_blocked what = *told;
	char line[LOGWRITER_LINE_BYTES];
	size_t len;

	what.name[sizeof(what.name) - 1] = '\0';
	keep(b, &what, rule, now);
	if (b->sums)
		sum_up(b, &what);
	if (b->log.failed)
		return;
	len = blocked_line(&what, rule, now, line, sizeof(line));
	(void)!logwriter_write(&b->log, line, len);
}

/* ---- told to others ---- */

static json_t *protocol_json(const struct network_blocked *b)
{
	switch (b->protocol) {
	case RULE_TCP:
		return json_string("tcp");
	case RULE_UDP:
		return json_string("udp");
	case RULE_ICMP4:
		return json_string("icmp");
	case RULE_ICMP6:
		return json_string("icmpv6");
	default:
		return json_sprintf("%u", b->protocol);
	}
}

static const char *end_text(const struct network_blocked *b,
			    const struct endpoint *at, char *buf)
{
	return is_icmp(b) ? ip_format(&at->ip, buf) :
			    endpoint_format(at, buf);
}

static json_t *entry_json(const struct blocked_entry *e)
{
	const struct network_blocked *b = &e->what;
	char src[ENDPOINT_TEXT_BYTES], dst[ENDPOINT_TEXT_BYTES];
	char when[40] = "";
	struct tm tm;
	json_t *j;

	if (localtime_r(&e->when, &tm))
		strftime(when, sizeof(when), "%FT%T%z", &tm);
	j = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:b, s:I}",
		      "time", when, "direction", b->in ? "in" : "out",
		      "origin", firewall_origin_name(b->origin),
		      "protocol", protocol_json(b),
		      "from", end_text(b, &b->src, src),
		      "to", end_text(b, &b->dst, dst),
		      "told", b->told, "count", (json_int_t)e->count);
	if (*b->name)
		json_object_set_new(j, "name", api_text(b->name));
	if (*e->rule)
		json_object_set_new(j, "rule", api_text(e->rule));
	return j;
}

json_t *blocked_json(const struct blocked *b)
{
	json_t *list = json_array();

	for (unsigned i = b->n; i-- > 0;)
		json_array_append_new(list, entry_json(&b->at[i]));
	return json_pack("{s:o}", "blocked", list);
}

static void put_sum(struct line *l, const struct blocked_sum *s)
{
	char ip[IP_TEXT_BYTES], word[BLOCKED_NAME_BYTES * 4 + 3];
	char name[BLOCKED_NAME_BYTES + 1];
	const char *allow = ip_format(&s->ip, ip);

	if (*s->name) {
		snprintf(name, sizeof(name), "%s%s", s->name,
			 strchr(s->name, '.') ? "" : ".");	/* one label */
		text_word(name, word, sizeof(word));
		allow = word;
	}
	put(l, "slipway:   --allow %s", allow);
	if (!*s->name && s->port)
		put(l, " (%s port %u", s->protocol == RULE_TCP ? "tcp" : "udp",
		    s->port);
	else
		put(l, " (%s", *s->name ? "asked for" : "ping");
	put(l, s->count > 1 ? ", %llu times)\n" : ")\n",
	    (unsigned long long)s->count);
}

size_t blocked_summary(const struct blocked *b, char *buf, size_t cap)
{
	struct line l = { .buf = buf, .cap = cap };

	buf[0] = '\0';
	if (!b->n_sums)
		return 0;
	put(&l, "slipway: the allow list has kept the command from some "
	    "places; these would let it there:\n");
	for (unsigned i = 0; i < b->n_sums; i++)
		put_sum(&l, &b->sum[i]);
	if (b->unsummed)
		put(&l, "slipway:   and %llu more tries elsewhere\n",
		    (unsigned long long)b->unsummed);
	return l.len;
}
