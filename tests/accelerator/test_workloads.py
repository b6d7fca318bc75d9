from dataclasses import replace

import pytest
import yaml

from equinox.accelerator import Layer, Workload, load_workload


def test_an_lstm_of_2048_by_hand():
    lstm = load_workload("lstm_2048_25")
    # Four gates, each 2048 outputs of 2 x 2048 inputs; 25 steps, two operations a weight.
    assert lstm.weights == 4 * 2048 * 2 * 2048 == 33_554_432
    assert lstm.op_per_request == 2 * 25 * 33_554_432 == 1_677_721_600
    # 8 bits and 10 of an exponent for 24 x 24 values.
    assert lstm.weight_byte("hbfp8_16") == pytest.approx(33_554_432 * (1 + 10 / 576 / 8))
    assert lstm.activation_byte_per_request("int8") == 4096 + 8192


@pytest.mark.parametrize(
    ("name", "weights", "op"),
    [("gru_2816_1500", 47.58e6, 142.7e9), ("resnet50", 25.5e6, 7.72e9)],
)
def test_published_sizes_come_out_of_the_layers(name, weights, op):
    workload = load_workload(name)
    assert workload.weights == pytest.approx(weights, rel=1e-3)
    assert workload.op_per_request == pytest.approx(op, rel=1e-3)


def test_every_workload_of_the_product_has_a_source(repository):
    for path in (repository / "config/workloads").glob("*.yaml"):
        assert len(load_workload(path).source) > 20


def test_training_takes_three_times_the_operations_of_inference():
    lstm = load_workload("lstm_2048_25")
    products = lstm.training(128, encoding="hbfp8_16")
    assert sum(product.op for product in products) == 3 * 128 * lstm.op_per_request
    assert [product.name for product in products] == [
        "gates.forward",
        "gates.backward_data",
        "gates.backward_weights",
    ]


def test_products_of_a_training_step_by_hand():
    forward, data, weights = load_workload("lstm_2048_25").training(128, encoding="int8")
    assert (forward.m, forward.k, forward.n, forward.repeat) == (128, 4096, 8192, 25)
    assert (data.m, data.k, data.n, data.repeat) == (128, 8192, 4096, 25)
    assert (weights.m, weights.k, weights.n, weights.repeat) == (4096, 128 * 25, 8192, 1)
    # One byte a value, weights stored in four: operands in, result out.
    assert forward.dram_byte == 4096 * 8192 + 128 * (4096 + 8192)
    assert data.dram_byte == 4096 * 8192 + 128 * (8192 + 4096 + 8192)
    assert weights.dram_byte == 3200 * (4096 + 8192) + 4096 * 8192 * (4 + 4 + 1)


#: All numbers differ, so that none stands for another.
PLAIN = Layer(name="plain", k=5, n=7, m_per_request=3, repeat=11, simd_op_per_output=1.5)
NET = Workload(
    name="net",
    source="none",
    layers=(
        replace(PLAIN, name="first", k=2),
        PLAIN,
        replace(PLAIN, name="attention", has_weights=False),
        replace(PLAIN, name="steps", recurrent=True),
    ),
    update_op_per_weight=2.5,
)


def step_of(layer):
    """Return the products of a layer in a training step on 13 samples, by the ends of their names.

    As (m, k, n), repeat, dependent, bytes and SIMD operations.
    """
    return {
        product.name.split(".")[1]: (
            (product.m, product.k, product.n),
            product.repeat,
            product.dependent,
            product.dram_byte,
            product.simd_op,
        )
        for product in NET.training(13, encoding="hbfp8_16")
        if product.name.startswith(f"{layer}.")
    }


def test_sizes_of_layers_by_hand():
    _, plain, attention, _ = NET.layers
    assert [layer.weights for layer in NET.layers] == [11 * 2 * 7, 11 * 5 * 7, 0, 5 * 7]
    assert plain.op_per_request == 2 * 3 * 5 * 7 * 11
    assert NET.weights == 154 + 385 + 35
    assert NET.op_per_request == 2 * 3 * 7 * 11 * (2 + 5 + 5 + 5)
    assert (plain.sizes(13), attention.sizes(13)) == ((13 * 3, 11), (3, 13 * 11))
    assert NET.activation_byte_per_request("bf16") == 2 * 3 * (5 + 7)
    assert NET.weight_byte("fp32") == 4 * NET.weights


def test_products_of_a_layer_that_repeats_by_hand():
    # 13 x 3 rows. Bytes of an activation or gradient, of a narrow and of a wide weight:
    narrow, wide = (8 + 10 / 576) / 8, (16 + 10 / 576) / 8
    assert step_of("plain") == {
        "forward": ((39, 5, 7), 11, True, 35 * narrow + 39 * (5 + 7), 39 * 7 * 1.5),
        "backward_data": ((39, 7, 5), 11, True, 35 * narrow + 39 * (7 + 7 + 5), 39 * 7 * 1.5),
        "backward_weights": (
            *((5, 39, 7), 11, False),
            *(39 * (5 + 7) + 35 * (2 * wide + narrow), 35 * 2.5),
        ),
    }
    assert set(step_of("first")) == {"forward", "backward_weights"}


def test_the_steps_of_a_recurrent_layer_share_one_product_for_the_weights():
    narrow, wide = (8 + 10 / 576) / 8, (16 + 10 / 576) / 8
    steps = step_of("steps")
    assert steps["forward"] == step_of("plain")["forward"]
    assert steps["backward_weights"] == (
        *((5, 39 * 11, 7), 1, False),
        *(39 * 11 * (5 + 7) + 35 * (2 * wide + narrow), 35 * 2.5),
    )


def test_products_of_a_layer_without_weights_by_hand():
    # Each sample has 11 products of its own. Bytes: a value is one; both operands and the result,
    # and backward the stashed result of forward instead of an update.
    assert step_of("attention") == {
        "forward": ((3, 5, 7), 143, False, 15 + 35 + 21, 21 * 1.5),
        "backward_data": ((3, 7, 5), 143, False, 21 + 15 + 35 + 21, 15 * 1.5),
        "backward_other": ((5, 3, 7), 143, False, 21 + 35 + 15, 35 * 1.5),
    }


def test_resident_weights_do_not_cross_dram():
    lstm = load_workload("lstm_2048_25")
    streamed = lstm.training(128, encoding="hbfp8_16")
    resident = lstm.training(128, encoding="hbfp8_16", resident=True)
    for one, other in zip(streamed, resident, strict=True):
        assert one.dram_byte - other.dram_byte == pytest.approx(lstm.weight_byte("hbfp8_16"))


def test_the_first_layer_of_a_feed_forward_network_has_no_input_gradient():
    names = [product.name for product in load_workload("resnet50").training(2, encoding="bf16")]
    assert names[0] == "conv1.forward"
    assert names[-1] == "conv1.backward_weights"
    assert "conv1.backward_data" not in names
    assert names.index("classifier.backward_data") < names.index("conv5_expand.backward_data")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": None}, "source"),
        ({"layers": [{"name": "a", "k": 1, "n": 0}]}, "layers.0.n"),
        ({"layers": [{"name": "a", "k": 1, "n": 1, "bias": True}]}, "bias"),
        ({"color": "red"}, "color"),
    ],
)
def test_a_wrong_file_is_refused_by_name(repository, tmp_path, change, message):
    entries = yaml.safe_load((repository / "config/workloads/lstm_2048_25.yaml").read_text())
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(entries | change))
    with pytest.raises(ValueError, match=message) as error:
        load_workload(path)
    assert "other.yaml" in str(error.value)


def test_an_unknown_workload_names_the_known_ones():
    with pytest.raises(
        ValueError, match="no workload vgg; known are bert_base_128, gru_2816_1500, lstm"
    ):
        load_workload("vgg")


def test_bert_by_hand():
    bert = load_workload("bert_base_128")
    # 12 layers of four 768 x 768 and two 768 x 3072; attention adds two products of 12 heads.
    weights = 12 * (4 * 768 * 768 + 2 * 768 * 3072)
    assert bert.weights == weights == 84_934_656
    assert bert.op_per_request == 2 * 128 * weights + 2 * 12 * 12 * 2 * 128 * 64 * 128
    # Each product has two gradients, but for the first layer's input.
    first = 2 * 2 * 128 * 768 * 2304 * 12
    products = bert.training(2, encoding="int8")
    assert sum(product.op for product in products) == 3 * 2 * bert.op_per_request - first
