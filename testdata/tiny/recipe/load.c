// load: a small, varied load for a guest whose memory is about to be dumped.
// SysV shm/sem/msg, threads, futex waiters, sockets, files, pipes, timers,
// a spinner, a zombie, a pending signal. "load shmbug" then trips /proc/shmbug.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEGMENTS 64
#define VICTIM 47
#define VICTIM_ID "13008943" // 0xc6802f: slot 47, and its first byte is '/'

static int seg[SEGMENTS];
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;

static void name(const char *n) { prctl(PR_SET_NAME, n); }
static void forever(void) { for (;;) pause(); }
static void *sleeper(void *n) { name(n); for (;;) sleep(1000); }
static void *locker(void *n) { name(n); pthread_mutex_lock(&mu); forever(); return 0; }

static void make_ipc(void)
{
	for (int i = 0; i < SEGMENTS; i++)
		seg[i] = shmget(0x2700 + i, (i + 1) * 1111, IPC_CREAT | 0740);
	shmctl(seg[VICTIM], IPC_RMID, 0);
	int f = open("/proc/sys/kernel/shm_next_id", O_WRONLY);
	if (f < 0 || write(f, VICTIM_ID, strlen(VICTIM_ID)) < 0)
		perror("shm_next_id");
	close(f);
	seg[VICTIM] = shmget(0x27c5, 20672, IPC_CREAT | 0740);
	printf("shm %d id %d\n", VICTIM, seg[VICTIM]);
	for (int i = 0; i < 8; i++)
		semget(0x5000 + i, i + 1, IPC_CREAT | 0600);
	for (int i = 0; i < 5; i++) {
		int q = msgget(0x6000 + i, IPC_CREAT | 0644);
		struct { long type; char text[100]; } m = { 1, "hello kernel dump" };
		for (int j = 0; j <= i; j++)
			msgsnd(q, &m, 50 + j, 0);
	}
}

static void shm_user(int i)
{
	char n[16];
	snprintf(n, sizeof n, "shmuser%d", i);
	name(n);
	strcpy(shmat(seg[VICTIM], 0, 0), "attached");
	for (int j = 0; j < 6; j++)
		shmat(seg[(i * 5 + j) % SEGMENTS], 0, 0);
	forever();
}

static void threads(void)
{
	static char n[8][16];
	pthread_t t;
	name("threads");
	pthread_mutex_lock(&mu);
	for (int i = 0; i < 8; i++) {
		snprintf(n[i], 16, i < 6 ? "thr%d" : "lock%d", i);
		pthread_create(&t, 0, i < 6 ? sleeper : locker, n[i]);
	}
	forever();
}

static void sockets(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(8080) };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/tmp/lab.sock" };
	struct itimerspec every = { { 100, 0 }, { 100, 0 } };
	struct epoll_event ev = { .events = EPOLLIN };
	name("sockets");
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	bind(s, (void *)&in, sizeof in);
	listen(s, 5);
	int c = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(c, (void *)&in, sizeof in))
		perror("connect");
	accept(s, 0, 0);
	if (write(c, "ping", 4) < 0)
		perror("write");
	in.sin_port = htons(5353);
	bind(socket(AF_INET, SOCK_DGRAM, 0), (void *)&in, sizeof in);
	int u = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(u, (void *)&un, sizeof un);
	listen(u, 3);
	int ep = epoll_create1(0), tfd = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(tfd, 0, &every, 0);
	epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
	epoll_ctl(ep, EPOLL_CTL_ADD, tfd, &ev);
	eventfd(0, 0);
	for (;;)
		epoll_wait(ep, &ev, 1, -1);
}

static void files(void)
{
	int p[2], f = open("/tmp/data", O_RDWR | O_CREAT, 0644);
	char b;
	name("files");
	if (ftruncate(f, 1 << 20) || pipe(p))
		perror("files");
	memset(mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0), 0x5a, 1 << 20);
	char *anon = mmap(0, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t k = 0; k < 4 << 20; k += 4096)
		anon[k] = k >> 12;
	strcpy(anon, "SEARCHME-needle-0123456789");
	flock(f, LOCK_EX);
	if (read(p[0], &b, 1) < 0)
		perror("read");
	forever();
}

static void pending(void)
{
	sigset_t s;
	name("pending");
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_BLOCK, &s, 0);
	kill(getpid(), SIGUSR1);
	forever();
}

static void zombie(void)
{
	name("zombiepar");
	if (!fork())
		_exit(0);
	forever();
}

static void spinner(void)
{
	name("spinner");
	for (volatile unsigned long x = 0;; x++)
		;
}

static void victim(void)
{
	int f = open("/proc/shmbug", O_WRONLY);
	name("victim");
	shmat(seg[VICTIM], 0, 0);
	if (f < 0 || write(f, "go", 2) < 0)
		perror("shmbug");
	_exit(0);
}

int main(int argc, char **argv)
{
	void (*load[])(void) = { threads, spinner, sockets, files, pending, zombie };

	make_ipc();
	for (int i = 0; i < 11; i++)
		if (!fork())
			shm_user(i);
	for (size_t i = 0; i < sizeof load / sizeof *load; i++)
		if (!fork())
			load[i]();
	sleep(2);
	for (int i = 0; argc > 1 && !strcmp(argv[1], "shmbug") && i < 60; i++) {
		if (!fork())
			victim();
		wait(0);
	}
	fflush(stdout);
	if (argc > 1)
		return 1; // sixty tries and no crash
	forever();
}
