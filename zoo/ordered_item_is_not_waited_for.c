// SPDX-License-Identifier: GPL-2.0
/*
 * Hole 15: an item of an ordered queue runs on after it has been waited for.
 *
 * While it runs, somebody changes the CPUs of unbound queues,
 * which gives the queue a second pool. The item is queued again
 * on the new one. There disable_work_sync() removes it, and there
 * it looks for a run to wait for. It does not see the run on the
 * old pool. In Rust the run owns a reference, so the item stays.
 *
 * RUN insmod /ordered_item_is_not_waited_for.ko $FIXED
 * RUN echo 1 >/sys/devices/virtual/workqueue/cpumask
 * RUN echo 1 >/sys/module/ordered_item_is_not_waited_for/parameters/stop
 * RUN echo 3 >/sys/devices/virtual/workqueue/cpumask
 * EXPECT kasan: KASAN: slab-use-after-free in handler
 */

#include <linux/completion.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

static bool fixed;
module_param(fixed, bool, 0);
MODULE_PARM_DESC(fixed, "without the mistake");

struct job {
	struct work_struct work;
	unsigned int done;
};

static struct workqueue_struct *queue;
static struct job *job;

static DECLARE_COMPLETION(started);
static DECLARE_COMPLETION(may_end);

static void handler(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	complete(&started);
	wait_for_completion(&may_end);
	job->done++;
}

/* Written once, when the mask has been changed. */
static int stop(const char *value, const struct kernel_param *param)
{
	queue_work(queue, &job->work);
	disable_work_sync(&job->work);
	if (!fixed)
		kfree(job);
	complete(&may_end);
	/* This looks at all pools of the queue. */
	flush_workqueue(queue);
	if (fixed)
		kfree(job);
	return 0;
}

static const struct kernel_param_ops stop_ops = { .set = stop };
module_param_cb(stop, &stop_ops, NULL, 0200);
MODULE_PARM_DESC(stop, "stop the item and free it");

static int __init specimen_init(void)
{
	job = kzalloc_obj(*job);
	if (!job)
		return -ENOMEM;
	queue = alloc_ordered_workqueue("zoo_ordered", 0);
	if (!queue) {
		kfree(job);
		return -ENOMEM;
	}
	INIT_WORK(&job->work, handler);
	queue_work(queue, &job->work);
	wait_for_completion(&started);
	return 0;
}
module_init(specimen_init);

static void __exit specimen_exit(void)
{
	destroy_workqueue(queue);
}
module_exit(specimen_exit);

MODULE_AUTHOR("The workqueue-rs authors");
MODULE_DESCRIPTION("Broken on purpose: a wait that is too short");
MODULE_LICENSE("GPL");
