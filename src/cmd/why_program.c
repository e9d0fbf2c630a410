/* SPDX-License-Identifier: MIT */
#include "cmd/why_program.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "firewall/rule.h"
#include "linux/procscan.h"
#include "linux/sockfind.h"

#define LOOK_NS UINT64_C(1000000000)

struct owner {
	char *path;
	bool found, differ;
};

static void take(void *ctx, uint32_t of, const char *path, int dir,
		 unsigned fd)
{
	struct owner *o = ctx;

	(void)of;
	(void)dir;
	(void)fd;
	if (!path || (o->found && strcmp(o->path, path)))
		o->differ = true;
	else
		strcpy(o->path, path);
	o->found = true;
}

static bool find_socket(bool udp, bool v6, uint16_t port,
			struct sockfind_found *out)
{
	const struct ip loopback[2] = {
		ip_from_v4(0x7f000001), { .b = { [15] = 1 } },
	};
	struct sockfind_question q = { .listens = true, .protocol =
				       udp ? RULE_UDP : RULE_TCP };
	struct sockfind f;
	bool found = false;

	if (sockfind_open(&f, "") < 0)
		return false;
	/* A port of UDP leads to its own family's alone. */
	for (unsigned i = 0; i < (udp ? 1 : 2) && !found; i++) {
		q.local = (struct endpoint){ loopback[v6 ^ i], port };
		found = sockfind(&f, &q, out);
	}
	sockfind_close(&f);
	return found;
}

static bool name_netns(char name[PROCSCAN_NET_BYTES])
{
	const int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	const bool ok = fd >= 0 && procscan_name(fd, name);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* All of them are to be one program's. */
static bool find_owner(const struct sockfind_found *found,
		       char path[WHY_PROGRAM_BYTES])
{
	struct procscan_want want[SOCKFIND_MAX];
	struct procscan_net net = { .want = want };
	struct owner o = { .path = path };
	struct timespec now;
	int proc;

	if (!name_netns(net.name))
		return false;
	for (; net.n < found->n && net.n < SOCKFIND_MAX; net.n++)
		want[net.n] = (struct procscan_want){
			.inode = found->inode[net.n] };
	procscan_sort(&net);
	proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!procscan(proc, &net, WHY_PROGRAM_BYTES,
		      (uint64_t)now.tv_sec * 1000000000u +
		      (uint64_t)now.tv_nsec + LOOK_NS, take, &o))
		o.differ = true;
	close(proc);
	for (size_t i = 0; i < net.n; i++)
		o.differ |= !want[i].found;
	return o.found && !o.differ;
}

bool why_host_program(bool udp, bool v6, uint16_t port,
		      char path[WHY_PROGRAM_BYTES])
{
	struct sockfind_found found = { .n = 0 };

	return find_socket(udp, v6, port, &found) && found.n &&
	       find_owner(&found, path);
}
