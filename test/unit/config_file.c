/* SPDX-License-Identifier: MIT */
/* test/unit/config_file.c - links config and base. */
#include "config/file.h"

#include <string.h>

#include "base/nearest.h"
#include "test.h"

/* What must be refused, and what the error must hold, in this order. */
static const struct {
	const char *name, *text, *says;
} bad[] = {
	{ "unknown key", "[network]\nmtuu = 1500\n",
	  "f:2: mtuu: no such key in [network]; did you mean mtu?" },
	{ "unknown key, nothing near", "[network]\nfrobnicate = 1\n",
	  "f:2: frobnicate: no such key" },
	{ "key of another section", "[network]\nservers = 192.0.2.1\n",
	  "f:2: servers: no such key" },
	{ "bad value", "\n[network]\n\nmtu = 12\n", "f:4: mtu = 12: out of" },
	{ "bad bool", "[network]\nipv6 = perhaps\n",
	  "f:2: ipv6 = perhaps: neither true nor false; give true or false" },
	{ "unknown section", "[netwerk]\nmtu = 1500\n",
	  "f:1: [netwerk]: no such section; did you mean [network]?" },
	{ "empty unknown section", "[network]\n[x]\n",
	  "f:2: [x]: no such section" },
	{ "guest without a name", "[guest]\n", "f:1: [guest]: not a name" },
	{ "guest that is none", "[guest A b]\n", "f:1: [guest A b]: not a" },
	{ "key of a guest", "[guest a]\nmac = 02:00:00:00:00:01\n",
	  "f:2: mac: no such key in [guest a]; did you mean macAddress?" },
	{ "MAC of a group", "[guest a]\nmacAddress = 01:00:5e:00:00:01\n",
	  "f:2: macAddress = 01:00:5e:00:00:01: not that of one" },
	{ "publish all of one", "[guest a]\npublish = auto\n",
	  "f:2: publish = auto: of a guest of several no port" },
	{ "key of the firewall", "[firewall]\nprofil = public\n",
	  "f:2: profil: no such key in [firewall]; did you mean profile?" },
	{ "profile", "[firewall]\nprofile = secret\n",
	  "f:2: profile = secret: no such profile; give private, public or" },
	{ "block action", "[firewall]\nblockAction = allow\n",
	  "f:2: blockAction = allow: neither drop nor refuse" },
	{ "log", "[firewall]\nlog = pfirewall.log\n",
	  "f:2: log = pfirewall.log: not the whole path" },
	{ "log size", "[firewall]\nlogSize = 4G\n", "f:2: logSize = 4G: not" },
	{ "log size", "[firewall]\nlogSize = 2000M\n", "f:2: logSize" },
	{ "log size", "[firewall]\nlogSize = 1K\n", "f:2: logSize = 1K: too" },
	{ "allow", "[firewall]\nallow = a.test, 10.0.0.1/8\n",
	  "f:2: allow = a.test, 10.0.0.1/8: neither a name nor an address" },
	{ "rule", "[network]\nmtu = 1500\n\n[rule no web]\naction = blok\n",
	  "f:5:10: blok: no such value; did you mean block?" },
	{ "rule without a name", "[rule]\naction = block\n",
	  "f:1:1: [rule]: no section of rules; give [rule NAME]" },
	{ "rule with half a key", "[rule a]\naction = block\n\n[dns]\n",
	  "f:1:1: a: no direction" },
	{ "rule's key elsewhere", "[dns]\naction = block\n",
	  "f:2: action: no such key in [dns]" },
	{ "no section", "mtu = 1500\n", "f:1: mtu: before any section" },
	{ "no value", "[network]\nmtu\n", "f:2: neither" },
	{ "open section", "[network\nmtu = 1500\n", "f:1: neither" },
	{ "bad value of WSL's", "[wsl2]\nipv6 = 7\n", "f:2: ipv6 = 7" },
	{ "first error counts", "[network]\na = 1\nb = 2\n", "f:2: a:" },
	{ "key with blanks before", "[network]\nmtu = 1500\n  mtuu = 1\n",
	  "f:3: mtuu" },
};

struct notes {
	unsigned n;
	char last[320];
};

static void take_note(void *ctx, enum log_level level, const char *text)
{
	struct notes *notes = ctx;

	(void)level;
	notes->n++;
	snprintf(notes->last, sizeof(notes->last), "%s", text);
}

static int read_text(struct config *c, const char *text, struct notes *notes,
		     struct fail *fail)
{
	const struct log_sink sink = { .write = take_note, .ctx = notes };
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int rc;

	fail->text[0] = '\0';
	config_defaults(c);
	CHECK("fmemopen", f != NULL);
	if (!f)
		return -1;
	rc = file_read_stream(c, f, "f", notes ? &sink : NULL, fail);
	fclose(f);
	return rc;
}

static void check_good(void)
{
	static const char text[] =
		"\xef\xbb\xbf# ours\n"
		"[network]\n"
		"mtu = 9000 ; jumbo\n"
		"  LOCALHOSTFORWARDING = False\n"
		"ignoredPorts = 3000,9000-9010\n"
		"generateHosts=no\r\n"
		"hostname : ship\n"
		"[DNS]\n"
		"servers = 192.0.2.1\n"
		"search = a.test b.test\n";
	struct fail fail;
	struct config c;

	CHECK("good", read_text(&c, text, NULL, &fail) == 0);
	CHECK("mtu", c.mtu == 9000);
	CHECK("forwarding", c.localhost == LOCALHOST_OFF);
	CHECK("ignored", port_list_has(&c.ignored_ports, 9005));
	CHECK("hosts", !c.generate_hosts && c.generate_resolv_conf);
	CHECK("hostname", !strcmp(c.hostname, "ship"));
	CHECK("dns", c.n_dns == 1 && !strcmp(c.search, "a.test b.test"));
}

/* Sections of one guest, twice, beside another's. */
static void check_guests(void)
{
	static const char text[] =
		"[guest web]\nmacAddress = 02:00:00:00:00:0b\n"
		"address = 172.30.0.20\nhostname = www\n"
		"publish = 8080:80, 127.0.0.1:8022:22\n"
		"[Guest db]\npublish = 5432\n"
		"[guest web]\naddress = 172.30.0.21\n"
		"bootCommand = service x start; echo a=b\n"
		"[publish]\nports = 99\n";
	const struct config_guest *web;
	struct fail fail;
	struct config c;

	CHECK("guests", read_text(&c, text, NULL, &fail) == 0);
	web = config_guest(&c, "web");
	CHECK("two", c.n_guests == 2 && web && config_guest(&c, "db"));
	CHECK("none", !config_guest(&c, "www"));
	CHECK("MAC", web->has_mac && web->mac.b[5] == 0x0b);
	CHECK("the later line", web->has_address &&
	      ip_to_v4(web->address) == 0xac1e0015);
	CHECK("hostname", !strcmp(web->hostname, "www"));
	CHECK("boot", !strcmp(web->boot_command,
			      "service x start; echo a=b"));
	CHECK("its own", !*config_guest(&c, "db")->boot_command &&
			 !*c.boot_command);
	CHECK("ports", c.n_publish == 4 &&
	      !strcmp(c.publish[0].guest, "web") &&
	      !strcmp(c.publish[1].guest, "web") &&
	      !strcmp(c.publish[2].guest, "db") && !*c.publish[3].guest);
	CHECK("whole", config_check(&c, &fail) == 0);
	c.has_mac = true;
	c.mac = web->mac;
	CHECK("the first's MAC", config_check(&c, &fail) < 0 &&
	      strstr(fail.text, "macAddress is that of the network's own"));
}

/* Files as WSL2's documentation shows them. */
static void check_wsl(void)
{
	static const char wsl_conf[] =
		"[automount]\nenabled = true\nroot = /mnt/\n"
		"options = \"metadata,umask=22\"\n"
		"[network]\nhostname = DemoHost\ngenerateHosts = false\n"
		"generateResolvConf = false\n"
		"[interop]\nenabled = false\nappendWindowsPath = false\n"
		"[user]\ndefault = me\n[boot]\nsystemd=true\ncommand = ip link set eth0 mtu 1400\n";
	static const char wslconfig[] =
		"[wsl2]\nmemory=4GB\nprocessors=2\nipv6=false\n"
		"kernel=C:\\\\temp\\\\myCustomKernel\n"
		"localhostforwarding=true\nnestedVirtualization=false\n"
		"[experimental]\nsparseVhd=true\nignoredPorts=3000\n";
	struct notes notes = { 0 };
	struct fail fail;
	struct config c;

	CHECK("wsl.conf", read_text(&c, wsl_conf, &notes, &fail) == 0);
	CHECK("wsl.conf", !strcmp(c.hostname, "DemoHost"));
	CHECK("wsl.conf", !c.generate_hosts && !c.generate_resolv_conf);
	CHECK("a note for each section", notes.n == 4);
	CHECK("boot", !strcmp(c.boot_command, "ip link set eth0 mtu 1400"));
	CHECK("note", !strcmp(notes.last, "f:15: [boot] systemd: not "
			      "ours, passed over"));

	memset(&notes, 0, sizeof(notes));
	CHECK(".wslconfig", read_text(&c, wslconfig, &notes, &fail) == 0);
	CHECK(".wslconfig", !c.ipv6 && c.localhost == LOCALHOST_AUTO);
	CHECK(".wslconfig", port_list_has(&c.ignored_ports, 3000));
	CHECK("a note for each key", notes.n == 5);
}

static void check_long_line(void)
{
	char text[1024] = "[dns]\nsearch = ";
	struct fail fail;
	struct config c;
	size_t n = strlen(text);

	memset(text + n, 'a', sizeof(text) - 1 - n);
	CHECK("long line", read_text(&c, text, NULL, &fail) < 0);
	CHECK("long line", strstr(fail.text, "f:2: the line is longer"));
}

static void check_nearest(void)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{ "", "", 0 }, { "a", "", 1 }, { "mtu", "mtu", 0 },
		{ "MTU", "mtu", 0 }, { "mtuu", "mtu", 1 }, { "mut", "mtu", 1 },
		{ "kitten", "sitting", 3 }, { "abc", "xyz", 3 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK(cases[i].a, nearest_distance(cases[i].a, cases[i].b) ==
				  cases[i].distance);
		CHECK(cases[i].b, nearest_distance(cases[i].b, cases[i].a) ==
				  cases[i].distance);
	}
	CHECK("too long", nearest_distance(
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a") >
		NEAREST_MAX);
}

void test_config_file(void);
void test_config_file(void)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fail fail;
		struct config c;

		CHECK(bad[i].name, read_text(&c, bad[i].text, NULL, &fail) < 0);
		CHECK(bad[i].name, strstr(fail.text, bad[i].says));
		CHECK(bad[i].name, strstr(fail.text, "; "));
		config_fini(&c);
	}
	check_good();
	check_guests();
	check_wsl();
	check_long_line();
	check_nearest();
}
