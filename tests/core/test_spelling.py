from service.core.spelling import MAX_COMPARED, find_nearest_names


def test_the_ends_of_long_names_are_compared():
    known = [f"encoder.layers.encoder_layer_{number}.self_attention.in_proj_weight" for number in range(12)]
    assert find_nearest_names(known[7].replace("proj", "porj"), known)[0] == known[7]


def test_the_nearest_of_many_names_is_found():
    known = [f"layer{number}.weight" for number in range(10 * MAX_COMPARED)]
    assert find_nearest_names("layer417.weigth", known)[0] == "layer417.weight"
