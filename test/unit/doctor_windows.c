/* SPDX-License-Identifier: MIT */
/*
 * test/unit/doctor_windows.c - what programs of Windows print, and what
 * follows from it for its firewall
 */
#include <stdlib.h>
#include <string.h>

#include "doctor/powershell.h"
#include "doctor/winfw.h"
#include "doctor/wintext.h"
#include "test.h"

/* ---- reg.exe ---- */

static const char key[] =
	"\r\n"
	"HKEY_LOCAL_MACHINE\\SYSTEM\\x\\PublicProfile\r\n"
	"    DisableNotifications    REG_DWORD    0x0\r\n"
	"    EnableFirewall    REG_DWORD    0x1\r\n"
	"    Path    REG_EXPAND_SZ    C:\\Program Files    (x86)\r\n"
	"    Empty    REG_SZ    \r\n"
	"    Bare    REG_SZ\r\n"
	"    Odd    REG_DWORD    0x\r\n"
	"    Odder    REG_DWORD    0x1g\r\n"
	"    Decimal    REG_DWORD    1\r\n"
	"    NoType    nothing    0x1\r\n"
	"EnableFirewall2    REG_DWORD    0x1\r\n"
	"    EnableFirewall    REG_DWORD    0x0\r\n"
	"\r\n";

static void check_reg(void)
{
	char out[64] = "as it was", tight[8];

	CHECK("number", reg_number(key, "EnableFirewall", 7) == 1);
	CHECK("zero", reg_number(key, "DisableNotifications", 7) == 0);
	CHECK("case", reg_number(key, "enablefirewall", 7) == 1);
	CHECK("absent", reg_number(key, "Enable", 7) == 7);
	CHECK("not one", reg_number(key, "Odd", 7) == 7 &&
			 reg_number(key, "Odder", 7) == 7 &&
			 reg_number(key, "Decimal", 7) == 7 &&
			 reg_number(key, "NoType", 7) == 7 &&
			 reg_number(key, "EnableFirewall2", 7) == 7);
	CHECK("untouched", !reg_text(key, "None", out, sizeof(out)) &&
			   !strcmp(out, "as it was"));
	CHECK("blanks within", reg_text(key, "Path", out, sizeof(out)) &&
	      !strcmp(out, "C:\\Program Files    (x86)"));
	CHECK("cut", reg_text(key, "Path", tight, sizeof(tight)) &&
		     !strcmp(tight, "C:\\Prog"));
	CHECK("empty", reg_text(key, "Empty", out, sizeof(out)) && !*out);
	CHECK("bare", reg_text(key, "Bare", out, sizeof(out)) && !*out);
	CHECK("nothing", reg_number("", "EnableFirewall", 7) == 7);

	/* Cut anywhere: never more than there is. */
	for (size_t n = 0; n < sizeof(key); n++) {
		char *copy = strndup(key, n);

		if (!copy)
			abort();
		(void)!reg_text(copy, "Path", out, sizeof(out));
		reg_number(copy, "EnableFirewall", 0);
		free(copy);
	}
}

/* ---- netstat.exe, tasklist.exe ---- */

static const char netstat[] =
	"\r\nActive Connections\r\n\r\n"
	"  Proto  Local Address          Foreign Address        State    PID\r\n"
	"  TCP    0.0.0.0:80             0.0.0.0:0              LISTENING  4\r\n"
	"  TCP    127.0.0.1:8000         0.0.0.0:0              ABHÖREN  12\r\n"
	"  TCP    [::]:8000              [::]:0                 LISTENING  13\r\n"
	"  TCP    [fe80::1%5]:8000       [::]:0                 LISTENING  14\r\n"
	"  TCP    10.0.0.1:8000          10.0.0.9:50000         ESTABLISHED 15\r\n"
	"  TCP    10.0.0.1:8000          0.0.0.0:9              ODD        18\r\n"
	"  TCP    0.0.0.0:8001           0.0.0.0:0              LISTENING\r\n"
	"  TCP    0.0.0.0:65536          0.0.0.0:0              LISTENING  16\r\n"
	"  UDP    0.0.0.0:8000           *:*                               17\r\n";

static void check_netstat(void)
{
	struct win_listener l[4];
	char name[64];

	CHECK("three", win_listeners(netstat, 8000, l, 4) == 3);
	CHECK("loopback", ip_is_loopback(&l[0].at) && l[0].pid == 12);
	CHECK("any", ip_is_unspecified(&l[1].at) && l[1].pid == 13);
	CHECK("zone", ip_is_link_local(&l[2].at) && l[2].pid == 14);
	CHECK("bounded", win_listeners(netstat, 8000, l, 2) == 2);
	CHECK("no process", win_listeners(netstat, 8001, l, 4) == 0);
	CHECK("none", win_listeners(netstat, 9, l, 4) == 0);
	CHECK("not modulo 65536", win_listeners(netstat, 0, l, 4) == 0);

	CHECK("image", win_image("\"python.exe\",\"4711\",\"Console\",\"1\","
				 "\"24,068 K\"\r\n", name, sizeof(name)) &&
		       !strcmp(name, "python.exe"));
	CHECK("no task", !win_image("INFO: No tasks are running which match "
				    "the specified criteria.\r\n", name,
				    sizeof(name)));
	CHECK("open", !win_image("\"python.exe", name, sizeof(name)));
	CHECK("empty", !win_image("\"\",\"1\"\r\n", name, sizeof(name)));
}

/* ---- paths, .wslconfig ---- */

static const char mounts[] =
	"none /usr/lib/wsl/drivers 9p ro,aname=drivers 0 0\n"
	"CX:\\134 /mnt/no 9p rw 0 0\n"
	"C:\\134Users /mnt/neither 9p rw 0 0\n"
	"C:\\134 /mnt/c 9p rw,noatime,aname=drvfs;path=C:\\;uid=1000 0 0\n"
	"D: /mnt/my\\040drive drvfs rw,noatime 0 0\n"
	"E:\\134 / 9p rw 0 0\n";

static void check_paths(void)
{
	char out[64];

	CHECK("C", win_path(mounts, "C:\\Users\\me", out, sizeof(out)) &&
		   !strcmp(out, "/mnt/c/Users/me"));
	CHECK("case", win_path(mounts, "c:\\x", out, sizeof(out)) &&
		      !strcmp(out, "/mnt/c/x"));
	CHECK("blank", win_path(mounts, "D:\\x", out, sizeof(out)) &&
		       !strcmp(out, "/mnt/my drive/x"));
	CHECK("root", win_path(mounts, "E:\\x", out, sizeof(out)) &&
		      !strcmp(out, "/x"));
	CHECK("not mounted", !win_path(mounts, "F:\\x", out, sizeof(out)));
	CHECK("UNC", !win_path(mounts, "\\\\ship\\x", out, sizeof(out)));
	CHECK("relative", !win_path(mounts, "C:x", out, sizeof(out)));
	CHECK("too long", !win_path(mounts, "C:\\0123456789", out, 10));
}

static void check_wslconfig(void)
{
	struct wslconfig c;

	wslconfig_parse("", &c);
	CHECK("defaults", !c.has_mode && c.localhost_forwarding &&
			  c.firewall && !c.bad_line);
	wslconfig_parse("\xef\xbb\xbf[wsl2]\r\n# remark\r\nmemory=4GB\r\n"
			"NetworkingMode = Mirrored   # yes\r\n"
			"localhostforwarding=FALSE\r\nfirewall=false\r\n", &c);
	CHECK("mirrored", c.has_mode && c.mode == WSL_MODE_MIRRORED &&
			  !c.old_mode && !c.localhost_forwarding &&
			  !c.firewall);
	wslconfig_parse("[experimental]\nnetworkingMode=nat\n[other]\n"
			"networkingMode=none\n", &c);
	CHECK("experimental", c.old_mode && c.mode == WSL_MODE_NAT);
	wslconfig_parse("[wsl2]\nnetworkingMode=bridge\n", &c);
	CHECK("unknown", c.has_mode && c.mode == WSL_MODE_UNKNOWN);
	wslconfig_parse("[wsl2]\nwhat is this\n", &c);
	CHECK("bad line", c.bad_line == 2);
	CHECK("word", wsl_mode_of("virtioproxy\n") == WSL_MODE_VIRTIOPROXY);
	CHECK("wsl1", wsl_mode_of("wsl1") == WSL_MODE_WSL1);
	CHECK("none of them", wsl_mode_of("natural\n") == WSL_MODE_UNKNOWN &&
			      wsl_mode_of("\n") == WSL_MODE_UNKNOWN &&
			      wsl_mode_of("unknown") == WSL_MODE_UNKNOWN);
}

/* ---- PowerShell ---- */

static void check_quotes(void)
{
	char out[64], tight[12];

	CHECK("plain", !strcmp(powershell_quote("a b", out, sizeof(out)),
			       "'a b'"));
	CHECK("quote", !strcmp(powershell_quote("it's", out, sizeof(out)),
			       "'it''s'"));
	CHECK("typographic", !strcmp(powershell_quote("a\u2019;b", out,
						      sizeof(out)),
				     "'a\u2019\u2019;b'"));
	CHECK("wild", !strcmp(powershell_pattern("a[1]*?`", out,
						 sizeof(out)),
			      "'a`[1`]`*`?``'"));
	CHECK("cut", strlen(powershell_quote("'''''''''''''''''''", tight,
					     sizeof(tight))) <
		     sizeof(tight) && tight[strlen(tight) - 1] == '\'');
}

/* ---- the firewall ---- */

#define BLOCK(rest)	"    {B}    REG_SZ    v2.33|Action=Block|Active=TRUE|" \
			"Dir=In|Protocol=6|" rest "Name=b|\r\n"
#define ALLOW(rest)	"    {A}    REG_SZ    v2.30|Action=Allow|Active=TRUE|" \
			"Dir=In|Protocol=6|" rest "Name=a|\r\n"
#define PYTHON		"App=C:\\Python\\python.exe|"
#define ON		"    EnableFirewall    REG_DWORD    0x1\r\n"

static const struct {
	const char *name, *rules, *profile, *policy_rules, *policy_profile;
	uint16_t port;
	const char *program;
	bool reached;
	unsigned broken;
	const char *todo;		/* somewhere in it; NULL: nothing */
} flows[] = {
	{ "nothing allows it", "", ON, "", "", 80, "p.exe", false, 1,
	  "New-NetFirewallRule" },
	{ "no registry at all", "", "", "", "", 80, "p.exe", false, 1,
	  "172.20.0.0/20" },
	{ "allowed", ALLOW("LPort=80|"), ON, "", "", 80, "p.exe", false, 0,
	  NULL },
	{ "another port", ALLOW("LPort=81|"), ON, "", "", 80, "p.exe", false,
	  1, "-LocalPort 80 " },
	{ "blocked", ALLOW("") BLOCK(""), ON, "", "", 80, "p.exe", false, 1,
	  "'0.0.0.0-172.19.255.255','172.20.16.0-255.255.255.255'" },
	{ "blocked and not allowed", BLOCK(""), ON, "", "", 80, "p.exe",
	  false, 2, "New-NetFirewallRule" },
	{ "not ours", ALLOW("") BLOCK("RA4=10.0.0.0-10.0.0.9|"), ON, "", "",
	  80, "p.exe", false, 0, NULL },
	{ "this subnet", ALLOW("") BLOCK("RA4=LocalSubnet|"), ON, "", "",
	  80, "p.exe", false, 1, "Disable-NetFirewallRule" },
	{ "private", ALLOW("") BLOCK("Profile=Private|"), ON, "", "",
	  80, "p.exe", false, 0, NULL },
	{ "its program", ALLOW("") BLOCK(PYTHON), ON, "", "",
	  80, "PYTHON.EXE", false, 1, "Disable-" },
	{ "its path", ALLOW("") BLOCK(PYTHON), ON, "", "",
	  80, "c:\\python\\python.exe", false, 1, "Disable-" },
	{ "another path", ALLOW("") BLOCK(PYTHON), ON, "", "",
	  80, "c:\\other\\python.exe", false, 0, NULL },
	{ "no program known", ALLOW("") BLOCK(PYTHON), ON, "", "",
	  80, NULL, false, 0, "--program NAME.exe" },
	{ "reached all the same", BLOCK(""), ON, "", "", 80, "p.exe", true,
	  0, "Disable-" },
	{ "off", BLOCK(""), "    EnableFirewall    REG_DWORD    0x0\r\n",
	  "", "", 80, "p.exe", false, 0, NULL },
	{ "on by policy", BLOCK(""),
	  "    EnableFirewall    REG_DWORD    0x0\r\n", "", ON, 80, "p.exe",
	  false, 2, "Disable-" },
	{ "shut", ALLOW(""), "    DoNotAllowExceptions    REG_DWORD    0x1\r\n",
	  "", "", 80, "p.exe", false, 1, "-AllowInboundRules True" },
	{ "in by default", "", "    DefaultInboundAction    REG_DWORD    0x0",
	  "", "", 80, "p.exe", false, 0, NULL },
	{ "of policy", ALLOW(""), ON, BLOCK(""), "", 80, "p.exe", false, 1,
	  "administers" },
	{ "policy alone", BLOCK(""), ON, ALLOW(""),
	  "    AllowLocalPolicyMerge    REG_DWORD    0x0\r\n", 80, "p.exe",
	  false, 0, NULL },
	{ "no port", BLOCK(PYTHON), ON, "", "", 0, "python.exe", false, 1,
	  "Disable-" },
	{ "no port, no program", BLOCK(PYTHON), ON, "", "", 0, NULL, false, 0,
	  "--port PORT" },
	{ "interfaces", "", ON "    DisabledInterfaces    REG_SZ    {1}\r\n",
	  "", "", 0, NULL, false, 0, "DisabledInterfaceAliases" },
};

static void check_flows(void)
{
	for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
		const struct winfw_texts t = {
			flows[i].rules, flows[i].profile,
			flows[i].policy_rules, flows[i].policy_profile };
		const struct winfw_flow f = {
			.port = flows[i].port, .program = flows[i].program,
			.reached = flows[i].reached,
			.guest = ip_from_v4(0xac140002),
			.host = ip_from_v4(0xac140001),
			.subnet = { ip_from_v4(0xac140000), 20 } };
		struct report r;
		char *text;

		report_init(&r);
		report_place(&r, "windows", "Windows", "");
		winfw_judge(&r, &t, &f);
		text = json_dumps(report_checks(&r), 0);
		CHECK(flows[i].name, r.broken == flows[i].broken);
		CHECK(flows[i].name, !flows[i].todo ||
				     strstr(text, flows[i].todo));
		CHECK(flows[i].name, flows[i].todo || !strstr(text, "-Net"));
		free(text);
		report_fini(&r);
	}
}

#define SETTING "setting|True|Block|Allow|True\r\n"

static const struct {
	const char *name, *text;
	uint16_t port;
	bool mirrored;
	unsigned checks, broken;
	const char *seen;
} hyperv[] = {
	{ "nothing", "", 80, true, 0, 0, NULL },
	{ "an error", "Get-Net… : is not recognised\r\n", 80, true, 0, 0,
	  NULL },
	{ "off", "setting|False|Block|Block|False\r\n", 80, true, 1, 0,
	  "is off" },
	{ "cut", "setting|True", 80, true, 1, 0, "no rule allows it" },
	{ "no rule", SETTING, 80, true, 1, 0, "no rule allows it" },
	{ "a rule", SETTING "rule|Inbound|Allow|True|TCP|80|web\r\n", 80,
	  true, 1, 0, "by rule 'web'" },
	{ "a range", SETTING "rule|Inbound|Allow|True|6|1-9,79-81|web\r\n",
	  80, true, 1, 0, "by rule 'web'" },
	{ "beside it", SETTING "rule|Inbound|Allow|True|TCP|81-90|web\r\n",
	  80, true, 1, 0, "no rule allows it" },
	{ "all", SETTING "rule|Inbound|Allow|True|Any|Any|a|b\r\n", 80, true,
	  1, 0, "by rule 'a'" },
	{ "the first", SETTING "rule|Inbound|Allow|True|TCP|80|a\r\n"
	  "rule|Inbound|Allow|True|TCP|80|b\r\n", 80, true, 1, 0,
	  "by rule 'a'" },
	{ "UDP", SETTING "rule|Inbound|Allow|True|UDP|80|web\r\n", 80, true,
	  1, 0, "no rule allows it" },
	{ "block", SETTING "rule|Inbound|Allow|True|TCP|80|a\r\n"
	  "rule|Inbound|Block|True|TCP|80|b\r\n"
	  "rule|Inbound|Allow|True|TCP|80|c\r\n", 80, true, 1, 1,
	  "rule 'b' blocks" },
	{ "default in", "setting|True|Allow|Allow|True\r\n", 80, true, 1, 0,
	  "reach port 80" },
	{ "no port", SETTING, 0, true, 1, 0, "only what a rule allows" },
	{ "loopback", "setting|True|Allow|Allow|False\r\n", 0, true, 2, 1,
	  "each other" },
	{ "nat", "setting|True|Block|Allow|False\r\n", 80, false, 1, 0,
	  "lets out" },
	{ "out", "setting|True|Allow|Block|True\r\n", 80, false, 1, 0,
	  "goes out" },
};

static void check_hyperv(void)
{
	for (size_t i = 0; i < sizeof(hyperv) / sizeof(hyperv[0]); i++) {
		struct report r;
		char *text;

		report_init(&r);
		report_place(&r, "windows", "Windows", "");
		winfw_judge_hyperv(&r, hyperv[i].text, hyperv[i].port,
				   hyperv[i].mirrored);
		text = json_dumps(report_checks(&r), 0);
		CHECK(hyperv[i].name, json_array_size(report_checks(&r)) ==
				      hyperv[i].checks);
		CHECK(hyperv[i].name, r.broken == hyperv[i].broken);
		CHECK(hyperv[i].name, !hyperv[i].seen ||
				      strstr(text, hyperv[i].seen));
		free(text);
		report_fini(&r);
	}
}

void test_doctor_windows(void);
void test_doctor_windows(void)
{
	check_reg();
	check_netstat();
	check_paths();
	check_wslconfig();
	check_quotes();
	check_flows();
	check_hyperv();
}
