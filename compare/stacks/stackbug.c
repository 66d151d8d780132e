// SPDX-License-Identifier: GPL-2.0
/*
 * stackbug: crashes on a stack of choice (how=), or spins there until an NMI
 * comes, for back traces over interrupt and exception stacks.
 */
#include <linux/module.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/timer.h>
#include <linux/delay.h>
#include <linux/kdebug.h>
#include <linux/nmi.h>
#include <asm/nmi.h>

static char *how = "hrtimer";
module_param(how, charp, 0);

static volatile int depth;
static volatile unsigned long *bad = (void *)0x10;

static noinline void die_here(const char *where)
{
	depth++;
	panic("stackbug: %s", where);
}

static noinline unsigned long touch_bad(void)
{
	unsigned long x = *bad;
	return x + depth;
}

static noinline unsigned long overflow(unsigned long n)
{
	volatile char pad[256];

	pad[n & 255] = n;
	if (n > 1000000)
		return n;
	return overflow(n + 1) + pad[(n + 1) & 255];
}

static void spin(void)
{
	pr_emerg("stackbug: spinning\n");
	for (;;)
		cpu_relax();
}

static enum hrtimer_restart hr_fn(struct hrtimer *t)
{
	if (!strcmp(how, "irqfault"))
		depth += touch_bad();
	else if (!strcmp(how, "chain") || !strcmp(how, "nmiinirq"))
		spin();
	else if (!strcmp(how, "int3inirq"))
		asm volatile("int3");
	else
		die_here("hrtimer");
	return HRTIMER_NORESTART;
}

static struct hrtimer hr;

static void arm_hr(void)
{
	hrtimer_init(&hr, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	hr.function = hr_fn;
	hrtimer_start(&hr, ms_to_ktime(20), HRTIMER_MODE_REL_HARD);
}

static void timer_fn(struct timer_list *t)
{
	if (!strcmp(how, "chain")) {
		arm_hr();
		for (;;)
			cpu_relax();
	} else if (!strcmp(how, "nmiinsoft")) {
		spin();
	} else if (!strcmp(how, "softfault"))
		depth += touch_bad();
	else
		die_here("timer");
}
static DEFINE_TIMER(timer, timer_fn);

static void tasklet_fn(struct tasklet_struct *t)
{
	die_here("tasklet");
}
static DECLARE_TASKLET(tl, tasklet_fn);

static int die_notify(struct notifier_block *nb, unsigned long val, void *data)
{
	if (val == DIE_DEBUG)
		die_here("#DB");
	return NOTIFY_DONE;
}
static struct notifier_block die_nb = { .notifier_call = die_notify, .priority = INT_MAX };

static int nmi_fn(unsigned int cmd, struct pt_regs *regs)
{
	if (!strcmp(how, "dbinnmi")) {
		register_die_notifier(&die_nb);
		asm volatile(".byte 0xf1");
	}
	if (!strcmp(how, "faultinnmi"))
		depth += touch_bad();
	die_here("NMI");
	return NMI_HANDLED;
}

static int __init stackbug_init(void)
{
	pr_emerg("stackbug: %s\n", how);
	if (!strcmp(how, "hrtimer") || !strcmp(how, "irqfault") || !strcmp(how, "nmiinirq") || !strcmp(how, "int3inirq"))
		arm_hr();
	else if (!strcmp(how, "timer") || !strcmp(how, "chain") || !strcmp(how, "nmiinsoft") || !strcmp(how, "softfault"))
		mod_timer(&timer, jiffies + 5);
	else if (!strcmp(how, "tasklet"))
		tasklet_schedule(&tl);
	else if (!strcmp(how, "overflow"))
		depth += overflow(0);
	else if (!strcmp(how, "int3"))
		asm volatile("int3");
	else if (!strcmp(how, "ud2"))
		BUG();
	else if (!strcmp(how, "fault"))
		depth += touch_bad();
	else if (!strcmp(how, "nullcall"))
		((void (*)(void))0)();
	else if (!strcmp(how, "db")) {
		register_die_notifier(&die_nb);
		asm volatile(".byte 0xf1");
	} else if (!strcmp(how, "selfnmi") || !strcmp(how, "dbinnmi") || !strcmp(how, "faultinnmi")) {
		register_nmi_handler(NMI_LOCAL, nmi_fn, NMI_FLAG_FIRST, "stackbug");
		pr_emerg("stackbug: spinning\n");
		for (;;) cpu_relax();
	} else
		spin();
	for (;;)
		cpu_relax();
	return 0;
}
module_init(stackbug_init);
MODULE_LICENSE("GPL");
