/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/doctor.h"
#include "doctor/probe.h"
#include "keeper/etctext.h"
#include "linux/netlink.h"
#include "linux/procfile.h"

#define DNS_MS		1500

/* ---- names ---- */

/* Each server is asked once. What came of it; 1: there are too many. */
static int ask_server(struct doctor *d, const struct ip *ip)
{
	unsigned i = 0;

	while (i < d->n_servers && !ip_equal(&d->server[i].ip, ip))
		i++;
	if (i == DOCTOR_SERVERS_MAX)
		return 1;
	if (i == d->n_servers) {
		d->server[i].ip = *ip;
		d->server[i].err = probe_root(ip, DNS_MS);
		d->n_servers++;
	}
	return d->server[i].err;
}

/* One that says that we may not ask it answers, too. */
static bool is_well(int err)
{
	return err == 0 || err == -EACCES;
}

static void tell_server(struct doctor *d, const struct ip *ip, bool others,
			const char *whom)
{
	const int err = ask_server(d, ip);
	char text[IP_TEXT_BYTES];

	ip_format(ip, text);
	if (is_well(err)) {
		report_add(&d->report, REPORT_OK, "dns-server", "DNS server",
			   "%s answers", text);
		return;
	}
	report_add(&d->report, others ? REPORT_NOTE : REPORT_BROKEN,
		   "dns-server", "DNS server", "%s: %s%s", text,
		   guest_why(err), others ? "; others do" : "");
	report_todo(&d->report, err == -EREMOTEIO ? "see what it asks, or "
		    "name another in %s" : "see that it runs and is reached, "
		    "or take it out of %s", whom);
}

void doctor_servers(struct doctor *d, const struct ip *at, unsigned n,
		    const char *whom)
{
	bool others = false;

	for (unsigned i = 0; i < n; i++)
		others |= is_well(ask_server(d, &at[i]));
	for (unsigned i = 0; i < n; i++)
		if (ask_server(d, &at[i]) <= 0)
			tell_server(d, &at[i], others, whom);
	if (n)
		return;
	report_add(&d->report, REPORT_BROKEN, "dns-server", "DNS server",
		   "%s names none", whom);
	report_todo(&d->report, "write into it: nameserver ADDR");
}

/* ---- the way to the world ---- */

static void check_route(struct doctor *d)
{
	struct netlink *nl = netlink_open();
	struct ip gateway;
	char text[IP_TEXT_BYTES];

	if (nl && netlink_default_gateway(nl, &gateway)) {
		report_add(&d->report, REPORT_OK, "host-route",
			   "default route", "%s", ip_format(&gateway, text));
	} else if (nl && netlink_has_default(nl, true) == 1) {
		report_add(&d->report, REPORT_OK, "host-route",
			   "default route", "there is one");
	} else {
		report_add(&d->report, REPORT_BROKEN, "host-route",
			   "default route", "none: neither the host nor a "
			   "guest reaches the world");
		report_todo(&d->report, "ip route add default via ADDR, or "
			    "bring the connection up");
	}
	netlink_close(nl);
}

static void tell_hole(struct doctor *d, const char *tried,
		      const struct path *p)
{
	report_add(&d->report, REPORT_BROKEN, "path", tried, "packets of more "
		   "than %u bytes vanish, and nobody says why; the route has "
		   "%u", p->bytes, p->route);
	report_todo(&d->report, "sysctl -w net.ipv4.tcp_mtu_probing=1, so "
		    "that TCP finds the size itself");
	report_todo(&d->report, "for all: ip link set DEV mtu %u, of the "
		    "interface that leads there", p->bytes);
}

static void check_path(struct doctor *d, const struct ip *to)
{
	char tried[64], text[IP_TEXT_BYTES];
	struct path p;

	snprintf(tried, sizeof(tried), "path to %s", ip_format(to, text));
	probe_path(to, &p);
	switch (p.kind) {
	case PATH_CLEAR:
		report_add(&d->report, REPORT_OK, "path", tried, "%u bytes "
			   "pass whole", p.bytes);
		break;
	case PATH_NARROW:
		report_add(&d->report, REPORT_OK, "path", tried, "%u bytes "
			   "pass, and larger packets are told so", p.bytes);
		break;
	case PATH_HOLE:
		tell_hole(d, tried, &p);
		break;
	case PATH_SILENT:
		report_add(&d->report, REPORT_SKIPPED, "path", tried,
			   "no ping is answered, so what passes is not known");
		break;
	case PATH_UNREACHABLE:
		report_add(&d->report, REPORT_BROKEN, "path", tried,
			   "not reachable");
		report_todo(&d->report, "ip route get %s", text);
		break;
	case PATH_FORBIDDEN:
		report_add(&d->report, REPORT_SKIPPED, "path", tried,
			   "the host does not let us ping");
		report_todo(&d->report, "sudo sysctl -w "
			    "net.ipv4.ping_group_range='0 2147483647'");
		break;
	}
}

/* To the first server that is another machine, and to --peer. */
static void check_paths(struct doctor *d, const struct resolvconf *rc)
{
	unsigned i = 0;

	while (i < rc->n && ip_is_loopback(&rc->at[i]))
		i++;
	if (i < rc->n)
		check_path(d, &rc->at[i]);
	if (d->config->has_doctor_peer)
		check_path(d, &d->config->doctor_peer);
}

/* ---- what `run` needs ---- */

static void check_tun(struct doctor *d)
{
	const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		report_add(&d->report, REPORT_OK, "tun", "/dev/net/tun",
			   "opens");
		return;
	}
	report_add(&d->report, REPORT_BROKEN, "tun", "/dev/net/tun", "%s",
		   strerror(errno));
	report_todo(&d->report, errno == ENOENT ? "sudo modprobe tun" :
		    "sudo chmod 666 /dev/net/tun");
}

/* In a child: it cannot be undone. Its errno. */
static int try_userns(void)
{
	int status = -1;
	const pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) ? errno : 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EAGAIN;
}

static void check_userns(struct doctor *d)
{
	int error;

	if (geteuid() == 0)
		return;
	error = try_userns();
	if (!error) {
		report_add(&d->report, REPORT_OK, "userns", "user namespaces",
			   "can be made");
		return;
	}
	report_add(&d->report, REPORT_BROKEN, "userns", "user namespaces",
		   "cannot be made: %s", strerror(error));
	if (procfile_number("/proc/sys/kernel/"
			    "apparmor_restrict_unprivileged_userns", 0) == 1)
		report_todo(&d->report, "sudo sysctl -w "
			    "kernel.apparmor_restrict_unprivileged_userns=0");
	else if (procfile_number("/proc/sys/kernel/unprivileged_userns_clone",
				 1) == 0)
		report_todo(&d->report, "sudo sysctl -w "
			    "kernel.unprivileged_userns_clone=1");
	else
		report_todo(&d->report, "sudo sysctl -w "
			    "user.max_user_namespaces=10000, or run it as "
			    "root");
}

void doctor_network(struct doctor *d)
{
	struct resolvconf rc = { .n = 0 };
	char text[8192];

	check_route(d);
	if (procfile_read("/etc/resolv.conf", text, sizeof(text)) >= 0)
		resolvconf_parse(text, &rc);
	doctor_servers(d, rc.at, rc.n, "/etc/resolv.conf");
	check_paths(d, &rc);
}

void doctor_host(struct doctor *d)
{
	report_place(&d->report, "host", "this host", "");
	check_tun(d);
	check_userns(d);
	doctor_network(d);
}

/* "8000 is published, but WHO drops it: …; COMMAND", if it is. */
bool doctor_hostfw(struct doctor *d, uint16_t port, const char *tried)
{
	static const char *const all[] = { "0.0.0.0", "[::]" };
	const char *words, *who;
	json_t *published = json_array(), *warnings = json_array();

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char at[32];

		snprintf(at, sizeof(at), "%s:%u", all[i], port);
		json_array_append_new(published, json_pack(
			"{s:s, s:s, s:s}", "at", at, "protocol", "tcp",
			"state", "open"));
	}
	hostfw_view_warn(&d->hostfw, published, warnings);
	words = json_string_value(json_array_get(warnings, 0));
	who = words ? strstr(words, "but ") : NULL;
	if (who)
		doctor_words(d, REPORT_BROKEN, "port-firewall", tried,
			     who + 4);
	json_decref(published);
	json_decref(warnings);
	return who;
}
