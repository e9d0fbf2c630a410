/* SPDX-License-Identifier: MIT */
#include "doctor/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor/netif.h"
#include "doctor/probe.h"
#include "keeper/etctext.h"
#include "linux/netlink.h"
#include "linux/procfile.h"
#include "wire/dns.h"

#define DNS_PORT	53
#define HOST_NAME	"host.slipway.internal"
#define RECOGNISE_MS	500
#define DNS_MS		1500
#define WORLD_MS	5000	/* the gateway always answers within 4 s */
#define TCP_MS		2000
#define LOOP_MS		1000	/* localhost is there within 50 ms */
#define PING_MS		500

const char *guest_why(int err)
{
	switch (-err) {
	case 0:
		return "answers";
	case ETIMEDOUT:
		return "no answer";
	case ECONNREFUSED:
		return "refused";
	case EPROTO:
		return "somebody else answers";
	case ECONNRESET:
		return "the connection was reset";
	case EHOSTUNREACH: case ENETUNREACH:
		return "not reachable";
	case EREMOTEIO:
		return "SERVFAIL, as those it asks do not answer";
	case EPERM:
		return "a rule here forbids it";
	default:
		return strerror(-err);
	}
}

/* ---- are we in a guest? ---- */

/*
 * Ask a server what a gateway is called: only ours have that name, whatever
 * of the host is to be reached. 0; -EPROTO: it is not called so; or another
 * error of probe_dns().
 */
static int ask_name(const struct ip *server, bool tcp,
		    const struct ip *gateway, int ms)
{
	const struct endpoint dns = { .ip = *server, .port = DNS_PORT };
	const uint32_t v4 = ip_to_v4(*gateway);
	struct probe_answer a;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "%u.%u.%u.%u.in-addr.arpa", v4 & 255,
		 v4 >> 8 & 255, v4 >> 16 & 255, v4 >> 24);
	err = probe_dns(&dns, tcp, name, DNS_PTR, ms, &a);
	if (err)
		return err;
	return strcmp(a.name, HOST_NAME) ? -EPROTO : 0;
}

static bool is_gateway(const struct ip *ip)
{
	return ask_name(ip, false, ip, RECOGNISE_MS) == 0;
}

/* The address of the environment, if it lies in a subnet of ours. */
static bool by_environment(const struct netif *ifs, unsigned n,
			   struct ip *out)
{
	const char *text = getenv("SLIPWAY_HOST_IP");

	if (!text || !ip_parse(text, out) || !ip_is4(out))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (netif_has(&ifs[i], out))
			return true;
	return false;
}

static bool default_gateway(struct ip *out)
{
	struct netlink *nl = netlink_open();
	const bool found = nl && netlink_default_gateway(nl, out);

	netlink_close(nl);
	return found;
}

bool guest_recognise(struct guest_facts *f)
{
	struct netif ifs[NETIF_MAX];
	const unsigned n = netif_list(ifs, NETIF_MAX);

	if (by_environment(ifs, n, &f->gateway4))
		return true;
	if (default_gateway(&f->gateway4))
		return is_gateway(&f->gateway4);
	/* The route may be what is broken; the gateway is the first. */
	for (unsigned i = 0; i < n; i++) {
		f->gateway4 = netif_subnet(&ifs[i]).ip;
		f->gateway4 = ip_from_v4(ip_to_v4(f->gateway4) + 1);
		if (ifs[i].up && is_gateway(&f->gateway4))
			return true;
	}
	return false;
}

/* ---- what is tried in any case ---- */

static bool find_interface(const struct guest_facts *f, struct netif *out)
{
	struct netif ifs[NETIF_MAX];
	const unsigned n = netif_list(ifs, NETIF_MAX);

	for (unsigned i = 0; i < n; i++)
		if (netif_has(&ifs[i], &f->gateway4)) {
			*out = ifs[i];
			return true;
		}
	return false;
}

static void check_interface(struct report *r, const struct guest_facts *f,
			    const struct netif *i)
{
	char is[IP_TEXT_BYTES], want[IP_TEXT_BYTES];

	ip_format(&i->ip, is);
	if (!i->up) {
		report_add(r, REPORT_BROKEN, "interface", "interface",
			   "%s is down", i->name);
		report_todo(r, "ip link set %s up", i->name);
	} else if (f->told && !ip_equal(&i->ip, &f->guest4)) {
		report_add(r, REPORT_BROKEN, "interface", "interface",
			   "%s has %s, the network knows it as %s", i->name,
			   is, ip_format(&f->guest4, want));
		report_todo(r, "ip addr replace %s/%u dev %s", want, i->bits,
			    i->name);
	} else {
		report_add(r, REPORT_OK, "interface", "interface", "%s, %s/%u",
			   i->name, is, i->bits);
	}
}

/* Does the main table lead packets of IPv6 anywhere? */
static bool leads_v6(struct netlink *nl)
{
	static const struct ip world = { .b = { 0x20, [15] = 1 } };

	return netlink_route_kind(nl, &world) == ROUTE_UNICAST;
}

static void check_route(struct report *r, const struct guest_facts *f,
			const struct netif *i)
{
	char is[IP_TEXT_BYTES], want[IP_TEXT_BYTES];
	struct netlink *nl = netlink_open();
	struct ip gateway;

	ip_format(&f->gateway4, want);
	if (!nl) {
		report_add(r, REPORT_SKIPPED, "route", "default route",
			   "routes cannot be read: %s", strerror(errno));
		return;
	}
	if (!netlink_default_gateway(nl, &gateway)) {
		report_add(r, REPORT_BROKEN, "route", "default route",
			   "none: nothing but the subnet is reached");
		report_todo(r, "ip route add default via %s dev %s", want,
			    i->name);
	} else if (!ip_equal(&gateway, &f->gateway4)) {
		report_add(r, REPORT_NOTE, "route", "default route",
			   "%s, and not the gateway, %s: nothing of the world "
			   "goes by slipway", ip_format(&gateway, is), want);
		report_todo(r, "ip route replace default via %s", want);
	} else if (f->told && f->v6 && !leads_v6(nl)) {
		report_add(r, REPORT_BROKEN, "route", "default route",
			   "%s by %s; none of IPv6", want, i->name);
		report_todo(r, "ip -6 route add default via %s dev %s",
			    ip_format(&f->gateway6, is), i->name);
	} else {
		report_add(r, REPORT_OK, "route", "default route",
			   "%s by %s", want, i->name);
	}
	netlink_close(nl);
}

/* Is anybody there at all? false: the rest need not be tried. */
static bool check_gateway(struct report *r, const struct guest_facts *f)
{
	const int udp = ask_name(&f->gateway4, false, &f->gateway4, DNS_MS);
	const int tcp = ask_name(&f->gateway4, true, &f->gateway4, DNS_MS);
	char text[IP_TEXT_BYTES];

	ip_format(&f->gateway4, text);
	if (!udp && !tcp) {
		report_add(r, REPORT_OK, "gateway", "gateway",
			   "%s answers by UDP and TCP", text);
		return true;
	}
	report_add(r, REPORT_BROKEN, "gateway", "gateway",
		   "%s: by UDP: %s; by TCP: %s", text, guest_why(udp),
		   guest_why(tcp));
	report_todo(r, udp && tcp ? "see whether it runs, on the host: "
		    "slipway status" : "look for rules in this guest: nft list "
		    "ruleset");
	return !udp || !tcp;
}

/* Name servers of resolv.conf: does each answer, and is it ours? */
static void check_server(struct report *r, const struct guest_facts *f,
			 const struct ip *server)
{
	const int err = ask_name(server, false, &f->gateway4, DNS_MS);
	char text[IP_TEXT_BYTES];

	ip_format(server, text);
	if (!err) {
		report_add(r, REPORT_OK, "resolv.conf", "/etc/resolv.conf",
			   "names %s, which answers", text);
		return;
	}
	if (err == -EPROTO)
		report_add(r, REPORT_NOTE, "resolv.conf", "/etc/resolv.conf",
			   "names %s, which answers, but does not ask the "
			   "gateway: names of the host and its guests are "
			   "not known", text);
	else
		report_add(r, REPORT_BROKEN, "resolv.conf", "/etc/resolv.conf",
			   "names %s: %s", text, guest_why(err));
	report_todo(r, "write into /etc/resolv.conf: nameserver %s",
		    ip_format(&f->gateway4, text));
}

static void check_resolv_conf(struct report *r, const struct guest_facts *f)
{
	char text[8192], gateway[IP_TEXT_BYTES];
	struct resolvconf rc = { .n = 0 };

	if (f->told && !f->own_files) {
		report_add(r, REPORT_SKIPPED, "resolv.conf",
			   "/etc/resolv.conf", "of the container: it is to "
			   "name %s", ip_format(&f->gateway4, gateway));
		return;
	}
	if (procfile_read("/etc/resolv.conf", text, sizeof(text)) >= 0)
		resolvconf_parse(text, &rc);
	for (unsigned i = 0; i < rc.n; i++)
		check_server(r, f, &rc.at[i]);
	if (rc.n)
		return;
	report_add(r, REPORT_BROKEN, "resolv.conf", "/etc/resolv.conf",
		   "names no server: no name is known here");
	report_todo(r, "write into it: nameserver %s",
		    ip_format(&f->gateway4, gateway));
}

/* By the gateway to the host's own servers: the root is known to all. */
static void check_names(struct report *r, const struct guest_facts *f)
{
	const int err = probe_root(&f->gateway4, WORLD_MS);

	if (!err) {
		report_add(r, REPORT_OK, "names", "names of the world",
			   "answered, through the gateway");
	} else if (err == -EACCES) {
		report_add(r, REPORT_NOTE, "names", "names of the world",
			   "refused: not every name is allowed to this "
			   "guest");
	} else {
		report_add(r, REPORT_BROKEN, "names", "names of the world",
			   "the gateway was asked: %s", guest_why(err));
		report_todo(r, "on the host: slipway doctor, which asks each "
			    "of its servers; or give others: --dns ADDR");
	}
}

static void check_sizes(struct report *r, const struct guest_facts *f,
			const struct netif *i)
{
	char text[IP_TEXT_BYTES];
	struct path p;

	ip_format(&f->gateway4, text);
	if (f->told && i->mtu != f->mtu) {
		report_add(r, i->mtu > f->mtu ? REPORT_BROKEN : REPORT_NOTE,
			   "mtu", "MTU", "%s has %u, the network %u", i->name,
			   i->mtu, f->mtu);
		report_todo(r, "ip link set %s mtu %u", i->name, f->mtu);
		return;
	}
	probe_path(&f->gateway4, &p);
	switch (p.kind) {
	case PATH_CLEAR:
		report_add(r, REPORT_OK, "mtu", "MTU", "%u bytes reach %s "
			   "whole", p.bytes, text);
		break;
	case PATH_NARROW: case PATH_HOLE:
		report_add(r, REPORT_BROKEN, "mtu", "MTU", "%s has %u, but "
			   "no more than %u bytes reach %s", i->name, i->mtu,
			   p.bytes, text);
		report_todo(r, "ip link set %s mtu %u", i->name, p.bytes);
		break;
	case PATH_SILENT: case PATH_UNREACHABLE:
		report_add(r, REPORT_BROKEN, "mtu", "MTU", "%s does not "
			   "answer a ping", text);
		report_todo(r, "look for rules in this guest that drop ICMP: "
			    "nft list ruleset");
		break;
	case PATH_FORBIDDEN:
		report_add(r, REPORT_SKIPPED, "mtu", "MTU", "%s has %u; "
			   "whether so much passes is not known, as we may "
			   "not ping here", i->name, i->mtu);
		report_todo(r, "sysctl -w net.ipv4.ping_group_range="
			    "'0 2147483647'");
		break;
	}
}

/* ---- to the host ---- */

static void check_to_host(struct report *r, const struct guest_facts *f)
{
	const struct endpoint to4 = { .ip = f->gateway4, .port = f->port4 };
	const struct endpoint to6 = { .ip = f->gateway6, .port = f->port6 };
	char text[ENDPOINT_TEXT_BYTES];
	int err4, err6;

	if (!f->port4 || f->blocked)
		return;			/* who blocks, says who asked */
	if (!f->to_host) {
		report_add(r, REPORT_SKIPPED, "guest-to-host",
			   "guest to host", "off, as it is set: "
			   "--host-access");
		return;
	}
	err4 = probe_tcp(&to4, f->word, TCP_MS);
	err6 = f->v6 && f->port6 ? probe_tcp(&to6, f->word, TCP_MS) : 0;
	if (!err4 && !err6) {
		report_add(r, REPORT_OK, "guest-to-host", "guest to host",
			   "reaches the host's localhost at %s",
			   endpoint_format(&to4, text));
		return;
	}
	report_add(r, REPORT_BROKEN, "guest-to-host", "guest to host",
		   "a server on the host's localhost, tried at %s: %s",
		   endpoint_format(err4 ? &to4 : &to6, text),
		   guest_why(err4 ? err4 : err6));
	report_todo(r, "look for rules on the host that drop what comes to "
		    "its own localhost: nft list ruleset");
}

void guest_check(struct report *r, const struct guest_facts *f)
{
	char text[IP_TEXT_BYTES];
	struct netif i;

	if (!find_interface(f, &i)) {
		report_add(r, REPORT_BROKEN, "interface", "interface",
			   "none has an address beside the gateway, %s",
			   ip_format(&f->gateway4, text));
		report_todo(r, "start the guest anew, or ask for an address "
			    "by DHCP: dhclient eth0");
		return;
	}
	check_interface(r, f, &i);
	if (!i.up)
		return;
	check_route(r, f, &i);
	if (check_gateway(r, f)) {
		check_resolv_conf(r, f);
		check_names(r, f);
		check_sizes(r, f, &i);
		check_to_host(r, f);
	}
}

/* 0, or what came of it. *at: where the server listens. */
static int try_loop(const struct guest_facts *f, struct endpoint *at)
{
	char word[PROBE_WORD_BYTES];
	const int fd = probe_listen(at);
	const struct endpoint to = { .ip = f->gateway4, .port = at->port };
	pid_t server;
	int err;

	if (fd < 0)
		return fd;
	probe_word(word);
	server = probe_serve(&fd, 1, word);
	err = server < 0 ? server : probe_tcp_soon(&to, word, LOOP_MS);
	probe_serve_end(server);
	close(fd);
	return err;
}

void guest_check_loop(struct report *r, const struct guest_facts *f)
{
	struct endpoint at = { .ip = ip_from_v4(0x7f000001) };
	char text[IP_TEXT_BYTES];
	int err;

	if (f->told && !(f->to_host && f->localhost)) {
		report_add(r, REPORT_SKIPPED, "both-ways", "to the host and "
			   "back", "off, as it is set: %s", f->to_host ?
			   "--localhost" : "--host-access");
		return;
	}
	err = try_loop(f, &at);
	if (!err) {
		report_add(r, REPORT_OK, "both-ways", "to the host and back",
			   "port %u here is on the host's localhost, and "
			   "reached there at %s", at.port,
			   ip_format(&f->gateway4, text));
		return;
	}
	report_add(r, f->told ? REPORT_BROKEN : REPORT_NOTE, "both-ways",
		   "to the host and back", "a server here, asked for at "
		   "%s:%u: %s", ip_format(&f->gateway4, text), at.port,
		   guest_why(err));
	if (err == -EHOSTUNREACH)
		report_todo(r, "the host is not to be reached from here, or "
			    "not at every port: --host-access gateway");
	else if (err == -ECONNREFUSED)
		report_todo(r, "what listens here is not on the host's "
			    "localhost: --localhost auto; on the host: "
			    "slipway status");
	else
		report_todo(r, "on the host, where more can be seen: slipway "
			    "doctor");
}

/* Does anybody here listen there: on loopback, or on our address? */
static bool listens_here(uint16_t port, const struct ip *own)
{
	struct endpoint at = { .ip = ip_from_v4(0x7f000001), .port = port };

	if (!probe_tcp(&at, NULL, PING_MS))
		return true;
	at.ip = (struct ip){ .b = { [15] = 1 } };
	if (!probe_tcp(&at, NULL, PING_MS))
		return true;
	at.ip = *own;
	return !probe_tcp(&at, NULL, PING_MS);
}

void guest_check_port(struct report *r, const struct guest_facts *f,
		      uint16_t port)
{
	const struct endpoint to = { .ip = f->gateway4, .port = port };
	char tried[32], at[ENDPOINT_TEXT_BYTES];
	struct netif i;
	bool here;
	int err;

	if (!find_interface(f, &i))
		return;
	snprintf(tried, sizeof(tried), "port %u", port);
	endpoint_format(&to, at);
	here = listens_here(port, &i.ip);
	err = probe_tcp(&to, NULL, TCP_MS);
	if (!err) {
		report_add(r, REPORT_OK, "port", tried, "%s answers: %s", at,
			   here ? "this guest listens there, and is on the "
				  "host's localhost" : "a server of the host");
		return;
	}
	report_add(r, REPORT_BROKEN, "port", tried, "%s: %s; in this guest "
		   "%s listens at it", at, guest_why(err),
		   here ? "somebody" : "nobody");
	if (err == -EHOSTUNREACH)
		report_todo(r, "the host, or this port of it, is not to be "
			    "reached from here: --host-access gateway, or "
			    "%u in its list", port);
	else if (err == -ECONNREFUSED && here)
		report_todo(r, "the host's localhost does not have it; who "
			    "has, says on the host: slipway ports");
	else if (err == -ECONNREFUSED)
		report_todo(r, "start the server, here or on the host, and "
			    "let it listen at port %u of TCP", port);
	else
		report_todo(r, "something on the host drops it; there: "
			    "slipway doctor --port %u", port);
}
