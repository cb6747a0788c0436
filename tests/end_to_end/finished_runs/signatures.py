"""What the pushed models take and give, as README says."""

import tensorflow as tf

RAW_INPUT = {
    "basic": ("image", (None, 28, 28)),
    "denoise": ("image", (None, 28, 28)),
    "anomaly": ("signal", (None, 140)),
}
OUTPUTS = {
    "basic": {"reconstruction": tf.float32, "error": tf.float32},
    "denoise": {"reconstruction": tf.float32, "error": tf.float32},
    "anomaly": {
        "reconstruction": tf.float32,
        "error": tf.float32,
        "threshold": tf.float32,
        "is_anomaly": tf.bool,
        "p_value": tf.float32,
        "contribution": tf.float32,
    },
}
