// SPDX-License-Identifier: GPL-2.0
/*
 * Hole 3: an item is cancelled for good, and another one arms it again.
 *
 * Cancelling forbids queueing only until it returns. Here the event
 * runs after the poll was cancelled and arms it again. Then the
 * memory of both goes while the timer is armed. In Rust the timer
 * would hold a reference: safe code cannot free an armed item.
 *
 * RUN insmod /other_item_arms_cancelled_item.ko $FIXED
 * EXPECT kasan: ODEBUG: free active .* object type: timer_list hint: poll
 */

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

static bool fixed;
module_param(fixed, bool, 0);
MODULE_PARM_DESC(fixed, "without the mistake");

struct device_state {
	struct delayed_work poll;
	struct work_struct event;
};

static void poll(struct work_struct *work)
{
}

static void event(struct work_struct *work)
{
	struct device_state *state = container_of(work, struct device_state, event);

	msleep(500);
	schedule_delayed_work(&state->poll, msecs_to_jiffies(10000));
}

static int __init specimen_init(void)
{
	struct device_state *state = kzalloc_obj(*state);

	if (!state)
		return -ENOMEM;
	INIT_DELAYED_WORK(&state->poll, poll);
	INIT_WORK(&state->event, event);

	schedule_work(&state->event);
	msleep(100);
	if (fixed)
		disable_delayed_work_sync(&state->poll);
	else
		cancel_delayed_work_sync(&state->poll);
	/* The event runs: this waits for it. */
	cancel_work_sync(&state->event);
	kfree(state);
	return 0;
}
module_init(specimen_init);

static void __exit specimen_exit(void)
{
}
module_exit(specimen_exit);

MODULE_AUTHOR("The workqueue-rs authors");
MODULE_DESCRIPTION("Broken on purpose: a cancelled item is armed again by another");
MODULE_LICENSE("GPL");
