// SPDX-License-Identifier: GPL-2.0
/*
 * c_echo: what wq_echo does, as it is commonly taught in C.
 *
 * A message is a fixed buffer in a list node. write(2) allocates the node. The
 * only work item takes the whole list, prints each message and frees it.
 *
 * It lacks these parts of wq_echo:
 *
 * - a bound on pending messages;
 * - escapes: text from users goes to the log as it is;
 * - short counts for writes that are longer than a message;
 * - a line end behind a full message that belongs to it.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#define MESSAGE_SIZE 256

static bool quiet;
module_param(quiet, bool, 0444);
MODULE_PARM_DESC(quiet, "Count messages without printing them");

struct message {
	struct list_head node;
	size_t len;
	char text[MESSAGE_SIZE];
};

static LIST_HEAD(messages);
static u64 accepted, printed;
/* Protects the list and the counters. */
static DEFINE_SPINLOCK(messages_lock);

static struct workqueue_struct *queue;
static struct dentry *debugfs;

static void print_messages(struct work_struct *work)
{
	struct message *message, *next;
	unsigned long flags;
	LIST_HEAD(batch);
	u64 count = 0;

	spin_lock_irqsave(&messages_lock, flags);
	list_splice_init(&messages, &batch);
	spin_unlock_irqrestore(&messages_lock, flags);

	list_for_each_entry_safe(message, next, &batch, node) {
		if (!quiet)
			pr_info("\"%s\" (len=%zu)\n", message->text, message->len);
		list_del(&message->node);
		kfree(message);
		count++;
	}

	spin_lock_irqsave(&messages_lock, flags);
	printed += count;
	spin_unlock_irqrestore(&messages_lock, flags);
}

static DECLARE_WORK(print_work, print_messages);

static ssize_t c_echo_write(struct file *file, const char __user *buf,
			    size_t count, loff_t *ppos)
{
	struct message *message;
	unsigned long flags;

	message = kzalloc_obj(*message);
	if (!message)
		return -ENOMEM;

	message->len = min_t(size_t, count, MESSAGE_SIZE - 1);
	if (copy_from_user(message->text, buf, message->len)) {
		kfree(message);
		return -EFAULT;
	}
	if (message->len && message->text[message->len - 1] == '\n')
		message->text[--message->len] = '\0';

	spin_lock_irqsave(&messages_lock, flags);
	list_add_tail(&message->node, &messages);
	accepted++;
	spin_unlock_irqrestore(&messages_lock, flags);

	queue_work(queue, &print_work);
	return count;
}

static const struct file_operations c_echo_fops = {
	.owner = THIS_MODULE,
	.write = c_echo_write,
};

static struct miscdevice c_echo_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "c_echo",
	.fops = &c_echo_fops,
};

static int __init c_echo_init(void)
{
	int err;

	/* The same kind of queue as wq_echo's. */
	queue = alloc_workqueue("c_echo", WQ_UNBOUND | WQ_SYSFS, 0);
	if (!queue)
		return -ENOMEM;

	debugfs = debugfs_create_dir("c_echo", NULL);
	debugfs_create_u64("accepted", 0444, debugfs, &accepted);
	debugfs_create_u64("printed", 0444, debugfs, &printed);

	err = misc_register(&c_echo_device);
	if (err) {
		debugfs_remove(debugfs);
		destroy_workqueue(queue);
	}
	return err;
}
module_init(c_echo_init);

static void __exit c_echo_exit(void)
{
	misc_deregister(&c_echo_device);
	destroy_workqueue(queue);
	debugfs_remove(debugfs);
}
module_exit(c_echo_exit);

MODULE_AUTHOR("The workqueue-rs authors");
MODULE_DESCRIPTION("Prints what is written to /dev/c_echo from a workqueue");
MODULE_LICENSE("GPL");
