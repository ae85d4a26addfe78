// SPDX-License-Identifier: GPL-2.0
/*
 * What Rust refuses: an item is freed while it is pending.
 *
 * Queueing puts a pointer to the item into C's lists, and the
 * item's type does not say so. In Rust queueing takes the
 * owner: the box is given away, or the Arc adds a reference.
 *
 * RUN insmod /item_is_freed_while_pending.ko $FIXED
 * EXPECT kasan: ODEBUG: free active .* object type: work_struct hint: handler
 */

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

static bool fixed;
module_param(fixed, bool, 0);
MODULE_PARM_DESC(fixed, "without the mistake");

static void handler(struct work_struct *work)
{
}

static void occupy(struct work_struct *work)
{
	msleep(500);
}

static int __init specimen_init(void)
{
	struct workqueue_struct *queue;
	struct work_struct *item, *other;

	queue = alloc_ordered_workqueue("zoo_freed", 0);
	item = kzalloc_obj(*item);
	other = kzalloc_obj(*other);
	if (!queue || !item || !other)
		panic("no memory for a specimen");
	INIT_WORK(other, occupy);
	INIT_WORK(item, handler);

	/* One item at a time: the second one waits for the first. */
	queue_work(queue, other);
	queue_work(queue, item);
	if (fixed)
		cancel_work_sync(item);
	kfree(item);

	destroy_workqueue(queue);
	kfree(other);
	return 0;
}
module_init(specimen_init);

static void __exit specimen_exit(void)
{
}
module_exit(specimen_exit);

MODULE_AUTHOR("The workqueue-rs authors");
MODULE_DESCRIPTION("Broken on purpose: an item is freed while it is pending");
MODULE_LICENSE("GPL");
