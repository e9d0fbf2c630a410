/* SPDX-License-Identifier: MIT */
#include "cmd/session.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/proxyenv.h"

#define STOP_MS 2000		/* between SIGTERM and SIGKILL */

struct waiter {
	const struct session *session;
	struct fail *fail;
	pid_t child;
	int signal_fd;
	bool lost, stopping;
	int64_t kill_ms;	/* when to send SIGKILL */
};

const char *session_shell(void)
{
	const char *shell = getenv("SHELL");
	const struct passwd *pw;

	if (shell && *shell)
		return shell;
	pw = getpwuid(getuid());
	return pw && pw->pw_shell && *pw->pw_shell ? pw->pw_shell : "/bin/sh";
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* What we take from the kernel's hands to pass on, and SIGCHLD. */
static void signals(sigset_t *set)
{
	static const int list[] = {
		SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2,
		SIGALRM, SIGWINCH, SIGPIPE, SIGURG, SIGIO, SIGVTALRM,
		SIGPROF, SIGPWR, SIGTSTP, SIGTTIN, SIGTTOU,
	};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		sigaddset(set, list[i]);
	for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
		sigaddset(set, s);
}

/* ---- the command's side ---- */

_Noreturn static void say_and_exit(int status, const char *word,
				   const char *why)
{
	struct fail fail;

	fail_set(&fail, "%s: %s", word, why);
	_exit(cmd_fail(&fail, status));
}

/*
 * Is there a file of that name in PATH? execvp() says EACCES also if there
 * is none, but a directory of PATH that may not be searched.
 */
static bool in_path(const char *word)
{
	const char *dir = getenv("PATH");
	char path[PATH_MAX];

	while (dir) {
		const int n = (int)strcspn(dir, ":");

		snprintf(path, sizeof(path), "%.*s/%s", n ? n : 1,
			 n ? dir : ".", word);
		if (access(path, F_OK) == 0)
			return true;
		dir = dir[n] ? dir + n + 1 : NULL;
	}
	return false;
}

_Noreturn static void exec_failed(const char *word, int error)
{
	if (error == EACCES && !strchr(word, '/') && !in_path(word))
		error = ENOENT;
	if (error == ENOENT && strchr(word, '/') && access(word, F_OK) == 0)
		say_and_exit(EXIT_NOT_FOUND, word, "its interpreter was not "
			     "found; see its first line");
	if (error == ENOENT || error == ENOTDIR)
		say_and_exit(EXIT_NOT_FOUND, word, strchr(word, '/') ?
			     "not found; check its path" :
			     "not found; check its spelling and PATH");
	if (error == EACCES)
		say_and_exit(EXIT_NOT_EXECUTABLE, word, "may not be "
			     "executed; see that it is a program and its "
			     "permissions");
	say_and_exit(EXIT_NOT_EXECUTABLE, word, strerror(error));
}

_Noreturn static void be_command(const struct session *s, pid_t front,
				 const sigset_t *mask)
{
	char address[IP_TEXT_BYTES];
	struct fail fail = { 0 };

	if (guest_join(&s->ns, s->as_root, &fail) < 0)
		_exit(cmd_fail(&fail, EXIT_OWN));
	/* After the change of credentials, which would clear it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != front)
		_exit(EXIT_OWN);
	ip_format(&s->gateway4, address);
	if (setenv("WSL2_HOST_IP", address, 1) < 0 ||
	    setenv("SLIPWAY_HOST_IP", address, 1) < 0)
		say_and_exit(EXIT_OWN, "the environment", "no memory");
	if (s->proxies && proxyenv_apply(address) < 0)
		say_and_exit(EXIT_OWN, "the environment", "no memory");
	if (s->begin && s->begin(s->link_fd, &fail) < 0)
		_exit(cmd_fail(&fail, EXIT_OWN));
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(s->argv[0], s->argv);
	exec_failed(s->argv[0], errno);
}

/* ---- our side ---- */

/*
 * The command has stopped, and we follow, so that the outer shell sees it:
 * not before, or the shell would have its terminal back while the command
 * still reads from it. What wakes us by ^Z and fg wakes the command, too; a
 * shell inside with a process group of its own (`suspend') we have to wake.
 */
static void command_stopped(const struct waiter *w, int by)
{
	const pid_t group = getpgid(w->child);
	const bool alone = group != getpgrp();

	if (group < 0 || (!alone && by != SIGTSTP && by != SIGTTIN &&
			  by != SIGTTOU))
		return;
	raise(SIGSTOP);
	if (alone)
		kill(-group, SIGCONT);
}

/* true: it has ended, *status is what to exit with. */
static bool child_event(const struct waiter *w, int *status)
{
	int how;

	if (waitpid(w->child, &how, WNOHANG | WUNTRACED) != w->child)
		return false;
	if (WIFSTOPPED(how)) {
		command_stopped(w, WSTOPSIG(how));
		return false;
	}
	*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	return true;
}

static void pass_on(const struct waiter *w, const struct signalfd_siginfo *si)
{
	/* What a terminal sends, it sends to the command as well. */
	if (si->ssi_code != SI_KERNEL)
		kill(w->child, (int)si->ssi_signo);
}

static bool signal_event(const struct waiter *w, int *status)
{
	struct signalfd_siginfo si;
	bool ended = false;

	while (!ended && read(w->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			ended = child_event(w, status);
		else
			pass_on(w, &si);
	}
	return ended;
}

static void link_event(struct waiter *w)
{
	switch (w->session->link_event(w->session->link_fd, w->fail)) {
	case LINK_NOTHING:
		break;
	case LINK_STOP:
		if (w->stopping)
			break;
		w->stopping = true;
		w->kill_ms = now_ms() + STOP_MS;
		kill(w->child, SIGTERM);
		kill(w->child, SIGCONT);
		break;
	case LINK_LOST:
		w->lost = true;
		kill(w->child, SIGKILL);
		break;
	}
}

/* Milliseconds for poll(); kills a command that does not want to stop. */
static int timeout(struct waiter *w)
{
	const int64_t left = w->kill_ms - now_ms();

	if (!w->stopping || w->lost)
		return -1;
	if (left > 0)
		return (int)left;
	kill(w->child, SIGKILL);
	w->stopping = false;
	return -1;
}

static int wait_for(struct waiter *w)
{
	int status = EXIT_OWN;

	for (;;) {
		struct pollfd p[2] = {
			{ .fd = w->signal_fd, .events = POLLIN },
			{ .fd = w->lost ? -1 : w->session->link_fd,
			  .events = POLLIN },
		};

		if (poll(p, 2, timeout(w)) < 0)
			continue;
		/* A command that has ended needs nobody any more. */
		if (p[0].revents && signal_event(w, &status))
			break;
		if (p[1].revents)
			link_event(w);
	}
	return w->lost ? EXIT_OWN : status;
}

static void close_namespaces(struct guest_ns *ns)
{
	const int all[] = { ns->user, ns->net, ns->mnt, ns->uts };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] >= 0)
			close(all[i]);
	*ns = (struct guest_ns){ -1, -1, -1, -1 };
}

int session_run(struct session *s, struct fail *fail)
{
	struct waiter w = { .session = s, .fail = fail };
	/* Ignored, as some callers have it, its end would not be told. */
	void (*const was)(int) = signal(SIGCHLD, SIG_DFL);
	const pid_t front = getpid();
	sigset_t set, old;
	int status;

	fail->text[0] = '\0';
	signals(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	w.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	w.child = w.signal_fd < 0 ? -1 : fork();
	if (w.child == 0) {
		signal(SIGCHLD, was);
		be_command(s, front, &old);
	}
	if (w.child < 0) {
		fail_set(fail, "the command cannot be started: %s; try again",
			 strerror(errno));
		return EXIT_OWN;
	}
	close_namespaces(&s->ns);
	status = wait_for(&w);
	close(w.signal_fd);
	return status;
}
