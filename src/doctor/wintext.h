/* SPDX-License-Identifier: MIT */
/*
 * doctor/wintext.h - what programs of Windows and WSL print, as values
 *
 * reg.exe, netstat.exe and tasklist.exe are read by what is the same in
 * every language of Windows; .wslconfig as WSL reads it. Strings in, values
 * out: nothing is run here. Lines may end in CR LF.
 */
#ifndef DOCTOR_WINTEXT_H
#define DOCTOR_WINTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"

/*
 * A value of a key as `reg query KEY` prints it: four blanks, its name, four
 * blanks, its type, four blanks, the data. Names in any case. out is written
 * on success only, cut if it is too long.
 */
MUST bool reg_text(const char *text, const char *name, char *out, size_t cap);

/* A REG_DWORD, printed as 0x…; otherwise if there is none. */
unsigned long reg_number(const char *text, const char *name,
			 unsigned long otherwise);

struct win_listener {
	struct ip at;		/* 0.0.0.0 and ::, too */
	unsigned long pid;
};

/* Who listens at a port of TCP, by `netstat -ano`: how many, at most max. */
unsigned win_listeners(const char *netstat, uint16_t port,
		       struct win_listener *out, unsigned max);

/* The program's name, by `tasklist /FI "PID eq N" /FO CSV /NH`. */
MUST bool win_image(const char *tasklist, char *out, size_t cap);

/*
 * A path of Windows' (C:\Users\me) where this system has it, by the text of
 * /proc/mounts. false: that drive is not mounted, or it is no such path.
 */
MUST bool win_path(const char *mounts, const char *path, char *out,
		   size_t cap);

enum wsl_mode {
	WSL_MODE_UNKNOWN,
	WSL_MODE_NAT,
	WSL_MODE_MIRRORED,
	WSL_MODE_BRIDGED,
	WSL_MODE_VIRTIOPROXY,
	WSL_MODE_NONE,
	WSL_MODE_WSL1,		/* no virtual machine: Windows' own network */
};

/* What `wslinfo --networking-mode` says, or .wslconfig, in any case. */
enum wsl_mode wsl_mode_of(const char *word);
const char *wsl_mode_text(enum wsl_mode mode);

struct wslconfig {
	bool has_mode;
	enum wsl_mode mode;		/* as it is asked for */
	bool old_mode;			/* in [experimental], where it was once */
	bool localhost_forwarding;	/* true, unless it says no */
	bool firewall;			/* the same */
	unsigned bad_line;		/* the first that cannot be read; 0 */
};

/* The text of a .wslconfig, with a byte order mark or without. */
void wslconfig_parse(const char *text, struct wslconfig *out);

#endif
