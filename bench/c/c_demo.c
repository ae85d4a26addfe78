// SPDX-License-Identifier: GPL-2.0
/*
 * c_demo: the five patterns of workqueue_demo, as they are commonly written in
 * C. /proc/c_demo counts what was queued and what has run.
 *
 * It lacks these parts of workqueue_demo: several commands in a write, counts
 * that balance, a stop that a tick cannot undo, a flush, limits.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

enum kind { IMMEDIATE, DELAYED, CUSTOM, DATA, PERIODIC, KINDS };

static const char * const kind_names[KINDS] = {
	[IMMEDIATE] = "immediate",
	[DELAYED] = "delayed",
	[CUSTOM] = "custom",
	[DATA] = "data",
	[PERIODIC] = "periodic",
};

static atomic64_t queued[KINDS], executed[KINDS];

static struct workqueue_struct *queue;
static struct proc_dir_entry *node;
static unsigned int period_ms;

static void note_run(enum kind kind)
{
	atomic64_inc(&executed[kind]);
	pr_info("%s work ran on %s (CPU %d)\n", kind_names[kind], current->comm,
		raw_smp_processor_id());
}

static void immediate_run(struct work_struct *work)
{
	msleep(100);
	note_run(IMMEDIATE);
}

static DECLARE_WORK(immediate_work, immediate_run);

static void delayed_run(struct work_struct *work)
{
	note_run(DELAYED);
}

static DECLARE_DELAYED_WORK(delayed_work, delayed_run);

static void periodic_run(struct work_struct *work)
{
	unsigned int ms = READ_ONCE(period_ms);

	note_run(PERIODIC);
	if (ms && schedule_delayed_work(to_delayed_work(work), msecs_to_jiffies(ms)))
		atomic64_inc(&queued[PERIODIC]);
}

static DECLARE_DELAYED_WORK(periodic_work, periodic_run);

static void custom_run(struct work_struct *work)
{
	msleep(100);
	note_run(CUSTOM);
	kfree(work);
}

struct data_item {
	struct work_struct work;
	int value;
};

static void data_run(struct work_struct *work)
{
	struct data_item *item = container_of(work, struct data_item, work);

	pr_info("Data: %d\n", item->value);
	note_run(DATA);
	kfree(item);
}

static int queue_custom(unsigned int count)
{
	struct work_struct *work;

	while (count--) {
		work = kzalloc_obj(*work);
		if (!work)
			return -ENOMEM;
		INIT_WORK(work, custom_run);
		atomic64_inc(&queued[CUSTOM]);
		queue_work(queue, work);
	}
	return 0;
}

static int queue_data(int value)
{
	struct data_item *item;

	item = kzalloc_obj(*item);
	if (!item)
		return -ENOMEM;
	INIT_WORK(&item->work, data_run);
	item->value = value;
	atomic64_inc(&queued[DATA]);
	queue_work(queue, &item->work);
	return 0;
}

static int run_command(const char *command)
{
	unsigned int number;
	int value;

	if (!strcmp(command, "immediate")) {
		if (schedule_work(&immediate_work))
			atomic64_inc(&queued[IMMEDIATE]);
	} else if (sscanf(command, "delayed %u", &number) == 1) {
		if (schedule_delayed_work(&delayed_work, msecs_to_jiffies(number)))
			atomic64_inc(&queued[DELAYED]);
	} else if (sscanf(command, "custom %u", &number) == 1) {
		return queue_custom(number);
	} else if (sscanf(command, "data %d", &value) == 1) {
		return queue_data(value);
	} else if (sscanf(command, "start %u", &number) == 1) {
		WRITE_ONCE(period_ms, number);
		if (schedule_delayed_work(&periodic_work, msecs_to_jiffies(number)))
			atomic64_inc(&queued[PERIODIC]);
	} else if (!strcmp(command, "stop")) {
		WRITE_ONCE(period_ms, 0);
		cancel_delayed_work_sync(&periodic_work);
	} else if (!strcmp(command, "cancel")) {
		cancel_delayed_work_sync(&delayed_work);
	} else {
		return -EINVAL;
	}
	return 0;
}

static ssize_t c_demo_write(struct file *file, const char __user *buf,
			    size_t count, loff_t *ppos)
{
	char command[64];
	int err;

	if (count >= sizeof(command))
		return -EINVAL;
	if (copy_from_user(command, buf, count))
		return -EFAULT;
	command[count] = '\0';
	err = run_command(strim(command));
	return err ? err : count;
}

static int c_demo_show(struct seq_file *file, void *unused)
{
	int kind;

	seq_puts(file, "kind           queued   executed\n");
	for (kind = 0; kind < KINDS; kind++)
		seq_printf(file, "%-10s %10lld %10lld\n", kind_names[kind],
			   atomic64_read(&queued[kind]), atomic64_read(&executed[kind]));
	return 0;
}

static int c_demo_open(struct inode *inode, struct file *file)
{
	return single_open(file, c_demo_show, NULL);
}

static const struct proc_ops c_demo_ops = {
	.proc_open = c_demo_open,
	.proc_read = seq_read,
	.proc_write = c_demo_write,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

static int __init c_demo_init(void)
{
	queue = alloc_workqueue("c_demo", WQ_UNBOUND | WQ_MEM_RECLAIM | WQ_SYSFS, 4);
	if (!queue)
		return -ENOMEM;
	node = proc_create("c_demo", 0644, NULL, &c_demo_ops);
	if (!node) {
		destroy_workqueue(queue);
		return -ENOMEM;
	}
	return 0;
}
module_init(c_demo_init);

static void __exit c_demo_exit(void)
{
	proc_remove(node);
	WRITE_ONCE(period_ms, 0);
	cancel_delayed_work_sync(&periodic_work);
	cancel_delayed_work_sync(&delayed_work);
	cancel_work_sync(&immediate_work);
	destroy_workqueue(queue);
}
module_exit(c_demo_exit);

MODULE_AUTHOR("The workqueue-rs authors");
MODULE_DESCRIPTION("Shows the workqueue patterns through /proc/c_demo");
MODULE_LICENSE("GPL");
