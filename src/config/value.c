/* SPDX-License-Identifier: MIT */
#include "config/value.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SEPARATORS ", \t"

/* A decimal number of digits only, at most max. */
static bool number(const char *text, unsigned long max, unsigned long *out)
{
	unsigned long n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		n = n * 10 + (unsigned long)(*text - '0');
		if (n > max)
			return false;
	}
	*out = n;
	return true;
}

static const char *boolean(const char *text, bool *out)
{
	static const char *const yes[] = { "true", "yes", "on", "1" };
	static const char *const no[] = { "false", "no", "off", "0" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcasecmp(text, yes[i]) && strcasecmp(text, no[i]))
			continue;
		*out = !strcasecmp(text, yes[i]);
		return NULL;
	}
	return "neither true nor false";
}

/*
 * Take the next word of a list into buf and step *text past it. Length,
 * 0 at the end, or SIZE_MAX for a word longer than buf holds.
 */
static size_t next_word(const char **text, char *buf, size_t cap)
{
	size_t n;

	*text += strspn(*text, SEPARATORS);
	n = strcspn(*text, SEPARATORS);
	if (n >= cap)
		return SIZE_MAX;
	memcpy(buf, *text, n);
	buf[n] = '\0';
	*text += n;
	return n;
}

bool value_is_name(const char *text)
{
	const size_t n = strlen(text);

	if (n == 0 || n >= CONFIG_NAME_BYTES)
		return false;
	if (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") != n)
		return false;
	return isalnum((unsigned char)text[0]);
}

const char *value_name(struct config *c, const char *text)
{
	if (!value_is_name(text))
		return "not a name";
	strcpy(c->name, text);
	return NULL;
}

const char *value_config_file(struct config *c, const char *text)
{
	if (!*text)
		return "empty";
	c->file = text;
	return NULL;
}

/* The path of a Unix socket, of len bytes. */
static const char *check_socket(size_t len)
{
	if (!len)
		return "empty";
	if (len >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "too long";
	return NULL;
}

/* One more link. path NULL: an inherited one. */
static const char *add_link(struct config *c, enum config_link_kind kind,
			    const char *path, int fd)
{
	if (c->n_links == CONFIG_LINKS_MAX)
		return "more than 16 links";
	c->links[c->n_links++] = (struct config_link){
		.kind = kind, .path = path, .fd = fd,
	};
	return NULL;
}

const char *value_qemu(struct config *c, const char *text)
{
	const char *wrong = check_socket(strlen(text));

	return wrong ? wrong : add_link(c, CONFIG_LINK_STREAM, text, -1);
}

const char *value_qemu_connect(struct config *c, const char *text)
{
	const char *wrong = check_socket(strlen(text));

	return wrong ? wrong : add_link(c, CONFIG_LINK_CONNECT, text, -1);
}

const char *value_vhost_user(struct config *c, const char *text)
{
	const char *wrong = check_socket(strlen(text));

	return wrong ? wrong : add_link(c, CONFIG_LINK_VHOST, text, -1);
}

const char *value_qemu_dgram(struct config *c, const char *text)
{
	const char *comma = strchr(text, ',');
	const size_t len = comma ? (size_t)(comma - text) : strlen(text);
	const char *wrong = check_socket(len);

	if (!wrong)
		wrong = check_socket(comma ? strlen(comma + 1) :
					     len + strlen(CONFIG_PEER_SUFFIX));
	return wrong ? wrong : add_link(c, CONFIG_LINK_DATAGRAM, text, -1);
}

const char *value_subnet(struct config *c, const char *text)
{
	struct prefix p;

	if (!strchr(text, '/') || !prefix_parse(text, &p))
		return "not a prefix";
	if (!ip_is4(&p.ip))
		return "not IPv4";
	if (p.bits < 8 || p.bits > 30)
		return "its length is not 8 to 30";
	if (ip_is_loopback(&p.ip) || ip_is_multicast(&p.ip) ||
	    ip_to_v4(p.ip) >> 24 == 0 || ip_to_v4(p.ip) >> 28 == 0xf)
		return "no guest can have such an address";
	c->subnet = p;
	c->has_subnet = true;
	return NULL;
}

static const char *guest_address(const char *text, struct ip *out)
{
	struct ip ip;

	if (!ip_parse(text, &ip) || !ip_is4(&ip))
		return "not an IPv4 address";
	if (ip_is_loopback(&ip) || ip_is_multicast(&ip) ||
	    ip_is_unspecified(&ip) || ip_is_broadcast(&ip))
		return "no guest can have it";
	*out = ip;
	return NULL;
}

const char *value_address(struct config *c, const char *text)
{
	const char *why = guest_address(text, &c->address);

	c->has_address |= !why;
	return why;
}

static const char *station(const char *text, struct mac *out)
{
	static const struct mac zero;
	struct mac mac;

	if (!mac_parse(text, &mac))
		return "not an Ethernet address";
	if (mac.b[0] & 1 || mac_equal(&mac, &zero))
		return "not that of one station";
	*out = mac;
	return NULL;
}

const char *value_mac(struct config *c, const char *text)
{
	const char *why = station(text, &c->mac);

	c->has_mac |= !why;
	return why;
}

/* Letters, digits and hyphens in labels of 1 to 63 characters. */
static bool is_domain(const char *text, size_t cap)
{
	size_t label = 0;
	const size_t n = strlen(text);

	if (n == 0 || n >= cap || text[0] == '-' || text[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)text[i]) && text[i] != '-' &&
		    text[i] != '_')
			return false;
		if (++label > 63)
			return false;
	}
	return true;
}

static const char *hostname(const char *text,
			    char out[CONFIG_HOSTNAME_BYTES])
{
	if (!is_domain(text, CONFIG_HOSTNAME_BYTES) ||
	    text[strlen(text) - 1] == '.')
		return "not a host name";
	strcpy(out, text);
	return NULL;
}

const char *value_hostname(struct config *c, const char *text)
{
	return hostname(text, c->hostname);
}

const char *value_guest_address(struct config *c, const char *text)
{
	struct config_guest *g = &c->guests[c->guest_now];
	const char *why = guest_address(text, &g->address);

	g->has_address |= !why;
	return why;
}

const char *value_guest_mac(struct config *c, const char *text)
{
	struct config_guest *g = &c->guests[c->guest_now];
	const char *why = station(text, &g->mac);

	g->has_mac |= !why;
	return why;
}

const char *value_guest_hostname(struct config *c, const char *text)
{
	return hostname(text, c->guests[c->guest_now].hostname);
}

const char *value_mtu(struct config *c, const char *text)
{
	unsigned long n;

	if (!strcasecmp(text, "auto")) {
		c->mtu_auto = true;
		c->mtu = CONFIG_MTU_USUAL;
		return NULL;
	}
	if (!number(text, 999999999, &n))
		return "neither auto nor a number";
	if (n < CONFIG_MTU_MIN || n > CONFIG_MTU_MAX)
		return "out of range";
	c->mtu_auto = false;
	c->mtu = (unsigned)n;
	return NULL;
}

const char *value_ipv6(struct config *c, const char *text)
{
	return boolean(text, &c->ipv6);
}

const char *value_no_ipv6(struct config *c, const char *text)
{
	(void)text;
	c->ipv6 = false;
	return NULL;
}

const char *value_dns(struct config *c, const char *text)
{
	struct ip at[CONFIG_DNS_MAX];
	char word[IP_TEXT_BYTES];
	unsigned n = 0;
	size_t len;

	while ((len = next_word(&text, word, sizeof(word))) > 0) {
		if (n == CONFIG_DNS_MAX)
			return "more than 8 servers";
		if (len == SIZE_MAX || !ip_parse(word, &at[n]))
			return "not an address";
		n++;
	}
	if (n == 0)
		return "empty";
	memcpy(c->dns, at, sizeof(at[0]) * n);
	c->n_dns = n;
	return NULL;
}

const char *value_search(struct config *c, const char *text)
{
	char all[CONFIG_SEARCH_BYTES] = "";
	char word[CONFIG_SEARCH_BYTES];
	size_t len, used = 0;

	while ((len = next_word(&text, word, sizeof(word))) > 0) {
		if (len == SIZE_MAX || used + len + 2 > sizeof(all))
			return "too long";
		if (!is_domain(word, sizeof(word)))
			return "not a domain";
		if (used)
			all[used++] = ' ';
		memcpy(all + used, word, len + 1);
		used += len;
	}
	memcpy(c->search, all, sizeof(all));
	c->has_search = true;
	return NULL;
}

/* "80", "8000-8010". */
static bool port_range(char *word, struct port_range *out)
{
	char *dash = strchr(word, '-');
	unsigned long first, last;

	if (dash)
		*dash = '\0';
	if (!number(word, 65535, &first) || first == 0)
		return false;
	last = first;
	if (dash && (!number(dash + 1, 65535, &last) || last < first))
		return false;
	out->first = (uint16_t)first;
	out->last = (uint16_t)last;
	return true;
}

static const char *ports(const char *text, struct port_list *out)
{
	struct port_list list = { 0 };
	char word[16];
	size_t len;

	while ((len = next_word(&text, word, sizeof(word))) > 0) {
		if (list.n == PORT_RANGES_MAX)
			return "more than 64 ports and ranges";
		if (len == SIZE_MAX || !port_range(word, &list.range[list.n]))
			return "not a port or a range of ports";
		list.n++;
	}
	*out = list;
	return NULL;
}

const char *value_localhost(struct config *c, const char *text)
{
	const char *why;

	if (!strcasecmp(text, "auto") || !strcasecmp(text, "off")) {
		c->localhost = strcasecmp(text, "off") ? LOCALHOST_AUTO :
							 LOCALHOST_OFF;
		c->says_localhost = true;
		return NULL;
	}
	if (!text[strspn(text, SEPARATORS)])
		return "empty";
	why = ports(text, &c->localhost_ports);
	if (!why) {
		c->localhost = LOCALHOST_LIST;
		c->says_localhost = true;
	}
	return why;
}

const char *value_localhost_conflict(struct config *c, const char *text)
{
	if (!strcasecmp(text, "tell"))
		c->localhost_conflict = CONFLICT_TELL;
	else if (!strcasecmp(text, "refuse"))
		c->localhost_conflict = CONFLICT_REFUSE;
	else
		return "neither tell nor refuse";
	return NULL;
}

const char *value_localhost_forwarding(struct config *c, const char *text)
{
	bool on = false;
	const char *why = boolean(text, &on);

	if (!why) {
		c->localhost = on ? LOCALHOST_AUTO : LOCALHOST_OFF;
		c->says_localhost = true;
	}
	return why;
}

const char *value_ignored_ports(struct config *c, const char *text)
{
	return ports(text, &c->ignored_ports);
}

const char *value_publish(struct config *c, const char *text)
{
	char word[PUBLISH_TEXT_BYTES];
	unsigned n = c->n_publish;
	const char *why;
	size_t len;

	while ((len = next_word(&text, word, sizeof(word))) > 0) {
		if (len == SIZE_MAX)
			return "too long";
		if (n == CONFIG_PUBLISH_MAX)
			return "more than 32 of them";
		why = publish_parse(word, &c->publish[n]);
		if (why)
			return why;
		n++;
	}
	if (n == c->n_publish)
		return "empty";
	c->n_publish = n;
	return NULL;
}

const char *value_guest_publish(struct config *c, const char *text)
{
	const unsigned before = c->n_publish;
	const char *why = value_publish(c, text);

	for (unsigned i = before; !why && i < c->n_publish; i++) {
		if (c->publish[i].automatic)
			why = "of a guest of several no port is known";
		strcpy(c->publish[i].guest, c->guests[c->guest_now].name);
	}
	if (why)
		c->n_publish = before;
	return why;
}

const char *value_host_access(struct config *c, const char *text)
{
	static const struct {
		const char *name;
		enum config_access access;
	} modes[] = {
		{ "gateway", CONFIG_ACCESS_GATEWAY },
		{ "localhost", CONFIG_ACCESS_LOCALHOST },
		{ "off", CONFIG_ACCESS_OFF },
	};
	const char *why;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcasecmp(text, modes[i].name)) {
			c->host_access = modes[i].access;
			c->says_access = true;
			return NULL;
		}
	if (!text[strspn(text, SEPARATORS)])
		return "empty";
	why = ports(text, &c->host_ports);
	if (!why) {
		c->host_access = CONFIG_ACCESS_LIST;
		c->says_access = true;
	}
	return why;
}

const char *value_link_local(struct config *c, const char *text)
{
	return boolean(text, &c->link_local);
}

const char *value_isolate(struct config *c, const char *text)
{
	return boolean(text, &c->isolate);
}

const char *value_join(struct config *c, const char *text)
{
	if (!value_is_name(text))
		return "not a name";
	c->join = text;
	return NULL;
}

/* "example.com=10.0.0.53,10.0.0.54", as one more. */
const char *value_dns_domain(struct config *c, const char *text)
{
	const char *to = strchr(text, '=');
	struct dns_zone new = { .n = 0 };
	char word[IP_TEXT_BYTES];
	size_t n = to ? (size_t)(to - text) : 0, len;

	while (n && text[n - 1] == ' ')
		n--;
	if (!n || n >= sizeof(new.name))
		return "not DOMAIN=ADDR";
	for (size_t i = 0; i < n; i++)
		new.name[i] = (char)tolower((unsigned char)text[i]);
	if (new.name[n - 1] == '.')
		new.name[n - 1] = '\0';
	if (!is_domain(new.name, sizeof(new.name)))
		return "not a domain";
	for (to++; (len = next_word(&to, word, sizeof(word))) > 0; new.n++) {
		if (new.n == DNS_ZONE_SERVERS_MAX)
			return "more than 2 servers";
		if (len == SIZE_MAX || !ip_parse(word, &new.at[new.n].ip))
			return "not an address";
		new.at[new.n].port = 53;
	}
	if (!new.n)
		return "without a server";
	if (c->n_zones == DNS_ZONES_MAX)
		return "more than 8 domains";
	c->zones[c->n_zones++] = new;
	return NULL;
}

const char *value_boot_command(struct config *c, const char *text)
{
	if (strlen(text) >= sizeof(c->boot_command))
		return "too long";
	strcpy(c->boot_command, text);
	return NULL;
}

const char *value_guest_boot(struct config *c, const char *text)
{
	struct config_guest *g = &c->guests[c->guest_now];

	if (strlen(text) >= sizeof(g->boot_command))
		return "too long";
	strcpy(g->boot_command, text);
	return NULL;
}

const char *value_keep_flows(struct config *c, const char *text)
{
	return boolean(text, &c->keep_flows);
}

const char *value_generate_hosts(struct config *c, const char *text)
{
	return boolean(text, &c->generate_hosts);
}

const char *value_generate_resolv_conf(struct config *c, const char *text)
{
	return boolean(text, &c->generate_resolv_conf);
}

const char *value_background(struct config *c, const char *text)
{
	return boolean(text, &c->background);
}

const char *value_pid_file(struct config *c, const char *text)
{
	if (!*text)
		return "empty";
	c->pid_file = text;
	return NULL;
}

const char *value_agent(struct config *c, const char *text)
{
	return boolean(text, &c->agent);
}

const char *value_no_agent(struct config *c, const char *text)
{
	(void)text;
	c->agent = false;
	return NULL;
}

const char *value_gateway(struct config *c, const char *text)
{
	c->has_gateway = ip_parse(text, &c->gateway);
	return c->has_gateway ? NULL : "not an address";
}

const char *value_host_interface(struct config *c, const char *text)
{
	return boolean(text, &c->host_interface);
}

const char *value_auto_proxy(struct config *c, const char *text)
{
	return boolean(text, &c->auto_proxy);
}

const char *value_root(struct config *c, const char *text)
{
	return boolean(text, &c->as_root);
}

const char *value_once(struct config *c, const char *text)
{
	return boolean(text, &c->once);
}

const char *value_quiet(struct config *c, const char *text)
{
	return boolean(text, &c->quiet);
}

const char *value_verbose(struct config *c, const char *text)
{
	return boolean(text, &c->verbose);
}

const char *value_json(struct config *c, const char *text)
{
	return boolean(text, &c->json);
}

const char *value_help(struct config *c, const char *text)
{
	return boolean(text, &c->help);
}

const char *value_version(struct config *c, const char *text)
{
	return boolean(text, &c->version);
}

/* The number of a descriptor that we were started with. */
static const char *descriptor(const char *text, int *out)
{
	unsigned long n;

	if (!number(text, 65535, &n))
		return "not a descriptor's number";
	if (fcntl((int)n, F_GETFD) < 0)
		return "not open";
	*out = (int)n;
	return NULL;
}

const char *value_ready_fd(struct config *c, const char *text)
{
	return descriptor(text, &c->ready_fd);
}

const char *value_fd(struct config *c, const char *text)
{
	int fd = -1;
	const char *why = descriptor(text, &fd);

	return why ? why : add_link(c, CONFIG_LINK_FD, NULL, fd);
}

const char *value_doctor_port(struct config *c, const char *text)
{
	unsigned long n;

	if (!number(text, 65535, &n) || n == 0)
		return "not a port";
	c->doctor_port = (uint16_t)n;
	return NULL;
}

const char *value_doctor_program(struct config *c, const char *text)
{
	if (!*text)
		return "empty";
	c->doctor_program = text;
	return NULL;
}

const char *value_doctor_peer(struct config *c, const char *text)
{
	if (!ip_parse(text, &c->doctor_peer))
		return "not an address";
	c->has_doctor_peer = true;
	return NULL;
}

const char *value_firewall(struct config *c, const char *text)
{
	return boolean(text, &c->firewall);
}

const char *value_rules_keep_flows(struct config *c, const char *text)
{
	return boolean(text, &c->rules_keep_flows);
}
