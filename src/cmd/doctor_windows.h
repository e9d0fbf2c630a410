/* SPDX-License-Identifier: MIT */
/*
 * cmd/doctor_windows.h - Windows' programs, asked from WSL
 *
 * By WSL's interop a program of Windows' is started like one of ours. They
 * are looked for in PATH, as WSL sets it, and where the drive C is mounted.
 * Only what reads is run: reg.exe query, netstat.exe, tasklist.exe, curl.exe
 * against the guest's own server, and Get-… of PowerShell. Each may take
 * some seconds and print 4 MiB; then it is killed, and counts as not there.
 */
#ifndef CMD_DOCTOR_WINDOWS_H
#define CMD_DOCTOR_WINDOWS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct windows {
	char system32[PATH_MAX];	/* where reg.exe is, without a slash */
	char *mounts;			/* the text of /proc/mounts */
	bool dead;			/* reg.exe had to be killed, or cannot be
					   run: nothing is asked any more */
};

/* Find it. false: no reg.exe is there. windows_fini() in any case. */
bool windows_find(struct windows *w);
void windows_fini(struct windows *w);

/* A program of ours or Windows' by PATH: its path. false: there is none. */
bool windows_in_path(const char *name, char *out, size_t cap);

/* What `reg query KEY [/v VALUE]` prints; free it. NULL: no such key. */
char *windows_reg(struct windows *w, const char *key, const char *value);

/* What another program beside it prints, by its words (NULL-terminated). */
char *windows_run(struct windows *w, const char *program, int wait_ms,
		  const char *const words[]);

/* Its file, %USERPROFILE%\.wslconfig; free it. NULL: there is none. */
char *windows_wslconfig(struct windows *w);

#endif
