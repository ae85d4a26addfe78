// SPDX-License-Identifier: GPL-2.0
/*
 * What Rust refuses here: pollers wait in a queue that goes before they do.
 *
 * poll(2) leaves its entry in the wait queue until it returns, long after
 * the callback has. Here the queue is part of a request, which goes when
 * it is answered. wake_up_pollfree() does not help: epoll removes its
 * entry when told, but poll(2) only once it gets a CPU, and C warns.
 *
 * The kernel crate's PollCondVar does no more when dropped, and safe code can
 * drop it. In misc_device.rs the queue is borrowed from the file's state.
 *
 * RUN insmod /poll_outlives_its_queue.ko $FIXED
 * RUN read -t 20 answer </dev/zoo_poll & sleep 2
 * RUN echo answer >/dev/zoo_poll; wait
 * EXPECT kasan: WARNING: .*__wake_up_pollfree
 */

#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>

static bool fixed;
module_param(fixed, bool, 0);
MODULE_PARM_DESC(fixed, "without the mistake");

struct request {
	wait_queue_head_t answered;
};

static struct request *request;
static DECLARE_WAIT_QUEUE_HEAD(any_answered);

static __poll_t zoo_poll(struct file *file, poll_table *table)
{
	struct request *current_request = READ_ONCE(request);

	if (fixed)
		poll_wait(file, &any_answered, table);
	else if (current_request)
		/* WRONG: the queue may go before who polls has left it. */
		poll_wait(file, &current_request->answered, table);
	return READ_ONCE(request) ? 0 : EPOLLIN;
}

static ssize_t zoo_write(struct file *file, const char __user *text, size_t len, loff_t *pos)
{
	struct request *answered = xchg(&request, NULL);

	if (!answered)
		return len;
	if (fixed) {
		wake_up(&any_answered);
	} else {
		wake_up_pollfree(&answered->answered);
		synchronize_rcu();
	}
	kfree(answered);
	return len;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.poll = zoo_poll,
	.write = zoo_write,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "zoo_poll",
	.fops = &operations,
};

static int __init specimen_init(void)
{
	request = kzalloc_obj(*request);
	if (!request)
		return -ENOMEM;
	init_waitqueue_head(&request->answered);
	return misc_register(&device);
}
module_init(specimen_init);

static void __exit specimen_exit(void)
{
	misc_deregister(&device);
	kfree(request);
}
module_exit(specimen_exit);

MODULE_AUTHOR("The workqueue-rs authors");
MODULE_DESCRIPTION("Broken on purpose: what polls outlives the queue it waits in");
MODULE_LICENSE("GPL");
