// SPDX-License-Identifier: GPL-2.0
/*
 * c_ways: what each way of queueing costs in C, to compare rust_ways with. When
 * it is loaded, it measures each way and logs one line for it:
 *
 *	c_ways: WAY start=NS whole=NS
 *
 * start is the time from the call that queues an item to the start of its
 * handler; the worker is asleep before. whole is the time for each item in all
 * (allocate, queue, run, free), with BATCH items queued at a time.
 *
 * With tick=1 it does nothing but tick every other jiffy. When it is removed, it logs
 * the average time between ticks.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#define BATCH	64
#define STARTS	500
#define BATCHES	50

static bool tick;
module_param(tick, bool, 0444);
MODULE_PARM_DESC(tick, "Tick every other jiffy and measure nothing");

static struct workqueue_struct *queue;

/* When the last handler started, and what it was given. */
static ktime_t started;
static u64 seen;

static void note(struct work_struct *work)
{
	WRITE_ONCE(started, ktime_get());
}

static struct work_struct works[BATCH];
static struct delayed_work delayed_works[BATCH];

static int enqueue_work(unsigned int i)
{
	queue_work(queue, &works[i]);
	return 0;
}

static int enqueue_delayed(unsigned int i)
{
	queue_delayed_work(queue, &delayed_works[i], 0);
	return 0;
}

struct job {
	struct work_struct work;
	u64 value;
};

static void run_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	WRITE_ONCE(started, ktime_get());
	WRITE_ONCE(seen, job->value);
	kfree(job);
}

static int enqueue_job(unsigned int i)
{
	struct job *job = kmalloc_obj(*job);

	if (!job)
		return -ENOMEM;
	INIT_WORK(&job->work, run_job);
	job->value = i;
	queue_work(queue, &job->work);
	return 0;
}

/*
 * The same job, allocated and freed as the kernel crate's Kmalloc does it. What is
 * then left of the difference to Rust is not due to the allocator.
 */
static void run_krealloc_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);
	void *gone __maybe_unused;

	WRITE_ONCE(started, ktime_get());
	WRITE_ONCE(seen, job->value);
	gone = krealloc(job, 0, 0);
}

static int enqueue_krealloc_job(unsigned int i)
{
	struct job *job = krealloc(NULL, sizeof(*job), GFP_KERNEL);

	if (!job)
		return -ENOMEM;
	INIT_WORK(&job->work, run_krealloc_job);
	job->value = i;
	queue_work(queue, &job->work);
	return 0;
}

/* Inlined, as the compiler inlines the closures of rust_ways. */
static __always_inline int measure(const char *way, int (*enqueue)(unsigned int i))
{
	s64 start = 0, whole = 0;
	unsigned int round, i;
	ktime_t before;
	int err;

	for (round = 0; round < STARTS; round++) {
		before = ktime_get();
		err = enqueue(0);
		if (err)
			return err;
		flush_workqueue(queue);
		start += started - before;
	}
	for (round = 0; round < BATCHES; round++) {
		before = ktime_get();
		for (i = 0; i < BATCH; i++) {
			err = enqueue(i);
			if (err)
				return err;
		}
		flush_workqueue(queue);
		whole += ktime_get() - before;
	}
	pr_info("%s start=%lld whole=%lld\n", way, start / STARTS, whole / (BATCHES * BATCH));
	return 0;
}

static int measure_all(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < BATCH; i++) {
		INIT_WORK(&works[i], note);
		INIT_DELAYED_WORK(&delayed_works[i], note);
	}
	/* The names of rust_ways, which has two ways for what is one here. */
	err = measure("arc", enqueue_work);
	if (!err)
		err = measure("handle", enqueue_work);
	if (!err)
		err = measure("boxed", enqueue_job);
	if (!err)
		err = measure("closure", enqueue_job);
	if (!err)
		err = measure("krealloc", enqueue_krealloc_job);
	if (!err)
		err = measure("delayed", enqueue_delayed);
	return err;
}

static ktime_t ticking_since;
static u64 ticks;

static void run_tick(struct work_struct *work)
{
	ticks++;
	queue_delayed_work(queue, to_delayed_work(work), 1);
}

static DECLARE_DELAYED_WORK(tick_work, run_tick);

static int __init c_ways_init(void)
{
	int err = 0;

	/* C copies the name for each run, so both twins use the same one. */
	queue = alloc_workqueue("ways", WQ_PERCPU, 0);
	if (!queue)
		return -ENOMEM;
	if (tick) {
		ticking_since = ktime_get();
		queue_delayed_work(queue, &tick_work, 1);
	} else {
		err = measure_all();
	}
	if (err)
		destroy_workqueue(queue);
	return err;
}
module_init(c_ways_init);

static void __exit c_ways_exit(void)
{
	if (tick) {
		disable_delayed_work_sync(&tick_work);
		pr_info("period=%lld\n", div64_u64(ktime_get() - ticking_since, ticks ?: 1));
	}
	destroy_workqueue(queue);
}
module_exit(c_ways_exit);

MODULE_AUTHOR("The workqueue-rs authors");
MODULE_DESCRIPTION("Measures ways of queueing in C");
MODULE_LICENSE("GPL");
