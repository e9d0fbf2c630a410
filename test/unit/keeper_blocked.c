/* SPDX-License-Identifier: MIT */
/* test/unit/keeper_blocked.c - links keeper, control, firewall and base. */
#include "keeper/blocked.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firewall/firewall.h"
#include "test.h"

#define WHEN 1700000000		/* whatever the zone, one line's worth */

static struct endpoint at(const char *ip, uint16_t port)
{
	struct endpoint e = { .port = port };

	CHECK(ip, ip_parse(ip, &e.ip));
	return e;
}

static struct network_blocked syn(const char *to, uint16_t port)
{
	return (struct network_blocked){
		.rule = BLOCKED_NO_RULE, .origin = FROM_GUEST,
		.protocol = 6, .src = at("172.20.0.2", 40000),
		.dst = at(to, port), .size = 60, .tcp_seq = 4000000000u,
		.tcp_window = 64240, .tcp_flags = 2,
	};
}

/* The line without its date and time. */
static const char *line_of(const struct network_blocked *b, const char *rule)
{
	static char line[LOGWRITER_LINE_BYTES];
	const size_t n = blocked_line(b, rule, WHEN, line, sizeof(line));

	CHECK("length", n == strlen(line) && line[n - 1] == '\n');
	return line + strlen("2023-11-14 22:13:20 ");
}

static void check_lines(void)
{
	struct network_blocked b = syn("192.0.2.1", 80);
	char cut[40];

	CHECK(line_of(&b, "no web"), !strcmp(line_of(&b, "no web"),
		"DROP TCP 172.20.0.2 192.0.2.1 40000 80 60 S 4000000000 0 "
		"64240 - - - SEND \"no web\"\n"));
	b.in = true;
	b.size = 0;		/* accepted on localhost: there is no packet */
	CHECK(line_of(&b, ""), !strcmp(line_of(&b, ""),
		"DROP TCP 172.20.0.2 192.0.2.1 40000 80 - - - - - - - - "
		"RECEIVE -\n"));
	b = (struct network_blocked){
		.protocol = 58, .src = at("fd00::2", 7), .dst = at("::1", 7),
		.size = 104, .icmp_type = 128,
	};
	CHECK(line_of(&b, "-"), !strcmp(line_of(&b, "-"),
		"DROP ICMPV6 fd00::2 ::1 - - 104 - - - - 128 0 - SEND "
		"\"-\"\n"));
	b = (struct network_blocked){
		.protocol = 17, .src = at("172.20.0.2", 5353),
		.dst = at("172.20.0.1", 53), .name = "a b\n\"c.test",
	};
	CHECK(line_of(&b, "r\n#"), !strcmp(line_of(&b, "r\n#"),
		"DROP UDP 172.20.0.2 172.20.0.1 5353 53 - - - - - - - "
		"\"a b\\x0a\\\"c.test\" SEND \"r\\x0a\\x23\"\n"));
	b.protocol = 132;
	CHECK("by number", strstr(line_of(&b, ""), "DROP 132 172"));
	CHECK("cut", blocked_line(&b, "r", WHEN, cut, sizeof(cut)) ==
		     sizeof(cut) - 1 && cut[sizeof(cut) - 2] == '\n');
}

/* The same again is one, and the newest; of more than 64 the oldest goes. */
static void check_kept(void)
{
	static struct blocked b;
	struct network_blocked what;
	json_t *j, *list, *first;

	blocked_init(&b, NULL, 0, false);
	for (unsigned i = 0; i < BLOCKED_MAX + 5; i++) {
		what = syn("192.0.2.1", (uint16_t)(1000 + i));
		blocked_note(&b, &what, "r", WHEN);
	}
	what = syn("192.0.2.1", 1010);
	what.src.port++;		/* another try */
	blocked_note(&b, &what, "r", WHEN);
	what.in = true;			/* another check */
	blocked_note(&b, &what, "r", WHEN);
	j = blocked_json(&b);
	list = json_object_get(j, "blocked");
	CHECK("as many as there may be", json_array_size(list) == BLOCKED_MAX);
	first = json_array_get(list, 1);
	CHECK("newest first", !strcmp(json_string_value(json_object_get(first,
		"to")), "192.0.2.1:1010"));
	CHECK("the last try", !strcmp(json_string_value(json_object_get(first,
		"from")), "172.20.0.2:40001"));
	CHECK("counted", json_integer_value(json_object_get(first, "count")) ==
			 2);
	first = json_array_get(list, BLOCKED_MAX - 1);
	CHECK("the oldest left", !strcmp(json_string_value(json_object_get(
		first, "to")), "192.0.2.1:1006"));
	json_decref(j);
}

static void check_summary(void)
{
	static struct blocked b;
	struct network_blocked what = syn("192.0.2.1", 80);
	char text[4096];

	blocked_init(&b, NULL, 0, true);
	CHECK("nothing", blocked_summary(&b, text, sizeof(text)) == 0 &&
			 !*text);
	what.rule = 3;			/* a rule's doing: no list helps */
	blocked_note(&b, &what, "r", WHEN);
	what.rule = BLOCKED_NO_RULE;
	what.in = true;
	blocked_note(&b, &what, "", WHEN);
	CHECK("nothing", blocked_summary(&b, text, sizeof(text)) == 0);
	what.in = false;
	blocked_note(&b, &what, "", WHEN);
	what.dst.port = 443;
	blocked_note(&b, &what, "", WHEN);
	strcpy(what.name, "a.test");
	blocked_note(&b, &what, "", WHEN);
	what = (struct network_blocked){ .rule = BLOCKED_NO_RULE,
		.protocol = 1, .dst = at("192.0.2.9", 0) };
	blocked_note(&b, &what, "", WHEN);
	blocked_summary(&b, text, sizeof(text));
	CHECK(text, !strcmp(strchr(text, '\n'),
		"\nslipway:   --allow 192.0.2.1 (tcp port 80, 2 times)\n"
		"slipway:   --allow a.test (asked for)\n"
		"slipway:   --allow 192.0.2.9 (ping)\n"));
	for (unsigned i = 0; i < 100; i++) {
		snprintf(what.name, sizeof(what.name), "%u.test", i);
		blocked_note(&b, &what, "", WHEN);
	}
	CHECK("whole lines", blocked_summary(&b, text, sizeof(text)) <
			     sizeof(text) - 1);
	CHECK("the rest is counted", strstr(text, "and 71 more tries"));
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : st.st_size;
}

static char *read_file(const char *path)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "re");
	const size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = '\0';
	return text;
}

/* A writer that stands still costs lines, not time. */
static void check_slow(const char *path)
{
	struct logwriter w = { .path = path, .head = "#head\n", .fd = -1,
			       .max = 64 << 20 };
	char line[1000];
	uint64_t taken = 0;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	CHECK("first", logwriter_write(&w, line, sizeof(line)) && w.pid > 0);
	kill(w.pid, SIGSTOP);
	waitpid(w.pid, NULL, WUNTRACED);
	while (taken < 10000 && logwriter_write(&w, line, sizeof(line)))
		taken++;
	CHECK("a pipe's worth", taken >= 60 && taken < 1000 && w.lost == 1);
	/* That one is missing may have found room; a line has none. */
	CHECK("counted", !logwriter_write(&w, line, sizeof(line)) &&
			 w.lost >= 1);
	kill(w.pid, SIGCONT);
	while (!logwriter_write(&w, line, sizeof(line)))
		poll(&(struct pollfd){ .fd = w.fd, .events = POLLOUT }, 1, -1);
	CHECK("said", w.lost == 0 && !w.failed);
	logwriter_close(&w);
	CHECK("ends by itself", waitpid(w.pid, NULL, 0) == w.pid);
	CHECK("head", !strncmp(read_file(path), "#head\nxxx", 9));
	CHECK("how many", strstr(read_file(path), " INFO-EVENTS-LOST - - - - "
					       "- - - - - - - - - "));
	CHECK("no half a line", size_of(path) > (off_t)taken * 1000);
	CHECK("no more after that", !logwriter_write(&w, line, 1));
}

static void check_put_aside(const char *path, const char *old)
{
	struct logwriter w = { .path = path, .head = "#head\n", .fd = -1,
			       .max = 5000 };
	char line[100];

	unlink(path);
	memset(line, 'y', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	for (unsigned i = 0; size_of(old) < 0 && i < 100000; i++)
		(void)!logwriter_write(&w, line, sizeof(line));
	logwriter_close(&w);
	CHECK("ends", waitpid(w.pid, NULL, 0) == w.pid);
	CHECK("as long as it may be", size_of(old) >= 5000);
	/* What was lost, while nobody read, may be told first. */
	CHECK("head", !strncmp(read_file(old), "#head\n", 6) &&
		      strstr(read_file(old), "\nyyy"));
	CHECK("head", !strncmp(read_file(path), "#head\n", 6));
}

/* A file that cannot be: said once, and no more is tried. */
static void check_failed(void)
{
	struct logwriter w = { .path = "/dev/null/log", .head = "", .fd = -1,
			       .max = 5000 };
	const int err = dup(2);

	(void)!freopen("/dev/null", "w", stderr);
	/* Taken, unless the process has come to its end already. */
	(void)!logwriter_write(&w, "x\n", 2);
	waitpid(w.pid, NULL, 0);
	fflush(stderr);
	dup2(err, 2);
	close(err);
	CHECK("known", !logwriter_write(&w, "x\n", 2) && w.failed && w.lost);
	logwriter_close(&w);
}

void test_keeper_blocked(void);
void test_keeper_blocked(void)
{
	char dir[] = "/tmp/slipway-test-XXXXXX", path[64], old[64];
	void (*was)(int) = signal(SIGPIPE, SIG_IGN);

	check_lines();
	check_kept();
	check_summary();
	CHECK("dir", mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(old, sizeof(old), "%s/log.old", dir);
	check_slow(path);
	check_put_aside(path, old);
	check_failed();
	unlink(path);
	unlink(old);
	rmdir(dir);
	signal(SIGPIPE, was);
}
